import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createAdmin, describeOnEachEngine, PASSWORD, signIn, useApp } from '../../support/app.ts'
import type { Response } from '../../support/client.ts'

/** 128 characters that are neither a pattern nor a common word. */
const LONGEST = 'Whoever walks along the river in the rain hears frogs, mills, 3 bells and 1 far train; '.padEnd(
  128,
  'qzjxkvwp7',
)

const faults = ({ body }: Response): string[] =>
  (body.fields ?? []).map(({ path, reason }: { path: string; reason: string }) => `${path} ${reason}`)

describe('Registering with', () => {
  const app = useApp('sqlite')
  const good = { email: 'good@example.org', password: PASSWORD, name: 'Good' }
  const register = (body: unknown, headers = {}) => app.api.post('/api/v1/auth/register', { body, headers })

  const refused: [string, object, string[]][] = [
    ['nothing', {}, ['/email required', '/password required', '/name required']],
    ['an e-mail of 300 characters', { ...good, email: `${'a'.repeat(288)}@example.org` }, ['/email too_long']],
    ['an e-mail without an at sign', { ...good, email: 'example.org' }, ['/email email']],
    ['an e-mail with two at signs', { ...good, email: 'a@b@example.org' }, ['/email email']],
    ['an e-mail without a top-level domain', { ...good, email: 'root@localhost' }, ['/email email']],
    ['an e-mail with a space', { ...good, email: 'a b@example.org' }, ['/email email']],
    ['an e-mail with a line break', { ...good, email: 'a@example.org\r\nBcc: x@y.org' }, ['/email email']],
    ['an e-mail with a null byte', { ...good, email: 'a\0@example.org' }, ['/email email']],
    ['an e-mail with a name', { ...good, email: 'Anna <anna@example.org>' }, ['/email email']],
    ['an e-mail with a local part of 65', { ...good, email: `${'a'.repeat(65)}@example.org` }, ['/email email']],
    ['an e-mail that is a number', { ...good, email: 1 }, ['/email type']],
    ['an e-mail that is a query', { ...good, email: { $gt: '' } }, ['/email type']],
    ['an e-mail that is null', { ...good, email: null }, ['/email type']],
    ['a name of only spaces', { ...good, name: '   ' }, ['/name blank']],
    ['a name of only invisible characters', { ...good, name: '\u200b\u2060' }, ['/name blank']],
    ['a name with a line break', { ...good, name: 'a\nb' }, ['/name blank']],
    ['a name with a null byte', { ...good, name: 'a\0b' }, ['/name blank']],
    ['a name that turns the line round', { ...good, name: 'abc\u202egnp.exe' }, ['/name blank']],
    ['a name with half a character', { ...good, name: 'a\ud800' }, ['/name blank']],
    ['a name of 101 characters', { ...good, name: 'ы'.repeat(101) }, ['/name too_long']],
    ['an empty name', { ...good, name: '' }, ['/name blank']],
    ['a name that is true', { ...good, name: true }, ['/name type']],
    ['a password of seven characters', { ...good, password: 'abcdefg' }, ['/password too_short']],
    ['a password of 200 characters', { ...good, password: 'ab12'.repeat(50) }, ['/password too_long']],
    ['a password of 64 KiB', { ...good, password: 'x'.repeat(65_536) }, ['/password too_long']],
    ['a password that everybody has', { ...good, password: 'qwertyuiop' }, ['/password too_common']],
    ['a password that is the e-mail', { ...good, password: 'good@example.org' }, ['/password personal']],
    ['a password that is a number', { ...good, password: 1234567890 }, ['/password type']],
    ['a language that nobody speaks', { ...good, locale: 'tlh' }, ['/locale not_allowed']],
    ['an extra field', { ...good, is_admin: true }, ['/is_admin unknown_field']],
    ['a role', { ...good, role: 'admin' }, ['/role unknown_field']],
    ['a slash in an extra field', { ...good, 'a/b~c': 1 }, ['/a~1b~0c unknown_field']],
    ['an array as its body', [good], ['/ type']],
    ['a text as its body', 'null' as never, ['/ type']],
  ]
  for (const [name, body, expected] of refused)
    test(`${name} is refused, and the field is named`, async () => {
      const answer = await register(body)
      assert.equal(answer.status, 400, JSON.stringify(answer.body))
      assert.deepEqual(faults(answer), expected)
      assert.equal(answer.body.action, 'fix')
      assert.ok(!JSON.stringify(answer.body).includes('x'.repeat(100)), 'what was sent does not come back')
    })

  test('several faults names them all at once, in the requested language', async () => {
    const answer = await register({ email: 'x', name: '' }, { 'accept-language': 'ru' })
    assert.deepEqual(faults(answer).sort(), ['/email email', '/name blank', '/password required'])
    assert.equal(answer.body.error, 'Проверьте введённые данные и попробуйте ещё раз.')
    for (const { message } of answer.body.fields) assert.match(message, /[а-я]{3}/)
  })

  const accepted: [string, object][] = [
    ['an e-mail of 254 characters', { email: `a@${`${'b'.repeat(59)}.`.repeat(4)}${'c'.repeat(8)}.org` }],
    ['a plus, dots and dashes', { email: "o'neil.first+tag-1_x@sub.example-site.org" }],
    ['an e-mail in Cyrillic', { email: 'почта@пример.рф' }],
    ['a name of a hundred characters of any script', { email: 'hundred@example.org', name: '李'.repeat(100) }],
    ['a name with a joined emoji', { email: 'emoji@example.org', name: '👩‍🚀 Ада' }],
    ['a name in Arabic', { email: 'arabic@example.org', name: 'محمد' }],
    ['a password of 128 characters', { email: 'long@example.org', password: LONGEST }],
    ['a password of eight emoji', { email: 'eight@example.org', password: '😀🎉🚀🌈🍕🎸🐙🌵' }],
    ['a password with spaces at its ends', { email: 'spaces@example.org', password: '  violet otter lamp  ' }],
    ['no language', { email: 'none@example.org', locale: null }],
  ]
  for (const [name, fields] of accepted)
    test(`${name} is accepted`, async () => {
      const body = { ...good, ...fields }
      const answer = await register(body)
      assert.equal(answer.status, 201, JSON.stringify(answer.body))
      assert.equal((await signIn(app.api, body)).name, body.name)
    })
})

describe('A body', () => {
  const app = useApp('sqlite')
  const login = (body: string | Uint8Array, headers = {}) => app.api.post('/api/v1/auth/login', { body, headers })
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

  const malformed: Record<string, string | Uint8Array> = {
    'that is cut off': '{"email":"a@b.org"',
    'that is no JSON': 'email=a@b.org&password=x',
    'with a comma too many': '{"email":"a@b.org","password":"x",}',
    'of two values': '{}{}',
    'with invalid UTF-8': Buffer.from('{"email":"a\xff@example.org","password":"x"}', 'latin1'),
    'with __proto__': '{"email":"a@b.org","password":"x","__proto__":{"role":"admin"}}',
    'with an escaped __proto__': '{"email":"a@b.org","password":"x","\\u005f_proto__":{"role":"admin"}}',
    'with constructor.prototype': '{"email":"a@b.org","constructor":{"prototype":{"role":"admin"}}}',
    'of 33 levels': nested(33),
    'of 40,000 levels': nested(40_000),
    'of open brackets': '['.repeat(100_000),
    'of spaces': '   ',
    'with NaN': '{"email":NaN}',
  }
  for (const [name, body] of Object.entries(malformed))
    test(`${name} is refused as malformed`, async () => {
      const answer = await login(body)
      assert.equal(answer.status, 400)
      assert.equal(answer.body.reason, 'malformed_json', JSON.stringify(answer.body))
    })

  test('with a byte order mark is accepted (RFC 8259)', async () => {
    const answer = await login('\ufeff{"email":"a@b.org","password":"x"}')
    assert.equal(answer.body.reason, 'invalid_credentials')
  })

  test('of 32 levels is accepted', async () => {
    assert.equal((await login(nested(32))).body.reason, 'validation_failed')
  })

  test('with brackets inside a string does not count as nested', async () => {
    const body = JSON.stringify({ email: '[{"'.repeat(50), password: 'x' })
    assert.equal((await login(body)).body.reason, 'invalid_credentials')
  })

  test('of 100 KiB is accepted, and one byte more is refused', async () => {
    const ofSize = (size: number) => {
      const frame = JSON.stringify({ email: 'a@b.org', password: '' })
      return frame.replace('""', `"${'x'.repeat(size - frame.length)}"`)
    }
    assert.equal((await login(ofSize(100 * 1024))).body.reason, 'validation_failed')
    const answer = await login(ofSize(100 * 1024 + 1))
    assert.equal(answer.status, 413)
    assert.equal(answer.body.reason, 'body_too_large')
  })

  for (const encoding of ['gzip', 'br', 'deflate', 'x-unknown', 'gzip, identity'])
    test(`with the content encoding ${encoding} is refused and not decompressed`, async () => {
      const bomb = gzipSync(Buffer.alloc(10_000_000))
      const answer = await login(bomb, { 'content-encoding': encoding })
      assert.equal(answer.status, 415)
      assert.equal(answer.body.reason, 'unsupported_media_type')
    })

  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
  ]
  for (const type of [...types, 'application/jsonp', 'x', 'application/json-patch+json'])
    test(`of the type ${type} is refused`, async () => {
      const answer = await login('{"email":"a@b.org","password":"x"}', { 'content-type': type })
      assert.equal(answer.status, 415)
      assert.equal(answer.body.reason, 'unsupported_media_type')
    })

  for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8'])
    test(`of the type ${type} is accepted`, async () => {
      const answer = await login('{"email":"a@b.org","password":"x"}', { 'content-type': type })
      assert.equal(answer.body.reason, 'invalid_credentials')
    })

  test('that is missing where it is required gets 400', async () => {
    const answer = await app.api.post('/api/v1/auth/login', { headers: { 'content-type': 'application/json' } })
    assert.equal(answer.body.reason, 'validation_failed')
  })
})

describe('A path', () => {
  const app = useApp('sqlite')
  let token = ''
  before(async () => {
    token = (await signIn(app.api, await createAdmin(app.services))).access_token
  })

  for (const id of ['1', 'me', "' or '1'='1", '..%2f..%2fetc', '%00', '018F3C5E-7D2A-7C1B-9F00', 'null'])
    test(`with ${id} for an id is refused`, async () => {
      const answer = await app.api.get(`/api/v1/users/${id}`, { token })
      assert.equal(answer.body.reason, 'validation_failed', JSON.stringify(answer.body))
      assert.deepEqual(faults(answer), ['/id format'])
    })

  const unknown = [
    '/api',
    '/api/v1',
    '/api/v2/users',
    '/api/v1/auth/login/',
    '/admin.php',
    '/.env',
    '/API/V1/USERS',
    '//',
  ]
  for (const path of [...unknown, '/api/v1/users/018f3c5e-7d2a-7c1b-9f00-0123456789ab/x', '/healthz'])
    test(`${path} is not found`, async () => {
      const answer = await app.api.get(path, { token })
      assert.equal(answer.body.reason, 'not_found', JSON.stringify(answer.body))
    })

  test('that cannot be decoded gets 400', async () => {
    assert.equal((await app.api.get('/api/v1/users/%zz', { token })).body.reason, 'malformed_request')
  })

  test('with a segment of 200 or 15,000 characters is too long', async () => {
    const answer = await app.api.get(`/api/v1/users/${'x'.repeat(200)}`, { token })
    assert.deepEqual([answer.status, answer.body.reason], [414, 'uri_too_long'])
    assert.doesNotMatch(JSON.stringify(answer.body), /xxxx/, 'the path is not echoed')
    assert.equal((await app.api.get(`/api/v1/users/${'x'.repeat(15_000)}`, { token })).status, 414)
  })

  const wrong: [string, string, string[]][] = [
    ['GET', '/api/v1/auth/login', ['POST']],
    ['DELETE', '/api/v1/auth/register', ['POST']],
    ['POST', '/health', ['GET', 'HEAD']],
    ['PUT', '/api/v1/users', ['GET', 'HEAD', 'POST']],
    ['POST', '/api/v1/users/018f3c5e-7d2a-7c1b-9f00-0123456789ab', ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']],
    ['OPTIONS', '/api/v1/auth/me', ['GET', 'HEAD', 'PATCH', 'DELETE']],
  ]
  for (const [method, path, allowed] of wrong)
    test(`${path} refuses ${method} and lists the allowed methods`, async () => {
      const answer = await app.api.request(method, path)
      assert.deepEqual([answer.status, answer.body.reason], [405, 'method_not_allowed'])
      assert.deepEqual(answer.headers.get('allow')?.split(', ').sort(), allowed.toSorted())
    })
})

describeOnEachEngine('A string of 64 KiB', (engine) => {
  const app = useApp(engine)
  const LONG = ['x', 'ё', '\\', '"', ' ', '\u0301', '%', '@', '.', 'a@'].map((part) =>
    part.repeat(65_536 / part.length / 2),
  )

  test('gets a 4xx in every field of every body', async () => {
    const { access_token: token, id } = await signIn(app.api, await createAdmin(app.services))
    const { paths, components } = app.app.swagger() as unknown as Document
    let asked = 0
    for (const [path, operations] of Object.entries(paths))
      for (const [method, { requestBody }] of Object.entries(operations)) {
        const reference = requestBody?.content['application/json']?.schema.$ref ?? ''
        const schema = components.schemas[reference.split('/').at(-1) ?? '']
        for (const field of Object.keys(schema?.properties ?? {}))
          for (const text of LONG) {
            const target = path.replace('{id}', id)
            const answer = await app.api.request(method.toUpperCase(), target, { token, body: { [field]: text } })
            assert.ok(answer.status >= 400 && answer.status < 500, `${path} ${field}: ${answer.status}`)
            asked++
          }
      }
    assert.ok(asked > 200)
  })
})

interface Document {
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: { $ref: string } }> } }>>
  components: { schemas: Record<string, { properties?: object }> }
}
