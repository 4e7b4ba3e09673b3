import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFileSync(`${root}${file}`, 'utf8')

interface Locked {
  version?: string
  integrity?: string
  hasInstallScript?: boolean
  dev?: boolean
}

const manifest = JSON.parse(read('package.json'))
const packages: Record<string, Locked> = JSON.parse(read('package-lock.json')).packages
const installed = Object.entries(packages).filter(([path]) => path.startsWith('node_modules/'))
assert.ok(installed.length > 100, 'the lock file lists what is installed')

describe('The dependencies', () => {
  test('have exact versions that match the lock file', () => {
    for (const group of ['dependencies', 'devDependencies', 'optionalDependencies'])
      for (const [name, version] of Object.entries<string>(manifest[group])) {
        assert.match(version, /^\d+\.\d+\.\d+$/, name)
        assert.equal(packages[`node_modules/${name}`]?.version, version, name)
      }
  })

  test('run no install scripts', () => {
    assert.deepEqual(
      installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path),
      [],
    )
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      assert.equal(manifest.scripts[script], undefined)
  })

  test('have an integrity hash if they reach production', () => {
    for (const [path, { dev, integrity }] of installed) if (!dev) assert.match(integrity ?? '', /^sha512-/, path)
  })

  test('can be listed as a CycloneDX SBOM', async () => {
    const npm = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']
    const { stdout } = await promisify(execFile)('npm', npm, { cwd: root, maxBuffer: 2 ** 24 })
    const { bomFormat, components } = JSON.parse(stdout)
    assert.equal(bomFormat, 'CycloneDX')
    const listed = new Set(components.map(({ purl }: { purl: string }) => decodeURIComponent(purl)))
    for (const [path, { dev, version }] of installed)
      if (!dev) assert.ok(listed.has(`pkg:npm/${path.split('node_modules/').at(-1)}@${version}`), path)
  })
})

describe('The source', () => {
  const sources = globSync('src/**/*.ts', { cwd: root }).map((file) => ({ file, text: read(file) }))
  const filesWith = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ file }) => file)

  test('evaluates no text as code and starts only its own program', () => {
    assert.deepEqual(filesWith(/\beval\(|new Function\(|node:vm\b/), [])
    // The reader of SQLite is a file of our own, in a process that can be killed.
    const reader = filesWith(/child_process/).filter((file) => /\bfork\(/.test(read(file)))
    assert.deepEqual(reader, ['src/kernel/db/sqlite/reader.ts'])
    assert.match(
      read(reader[0] as string),
      /^const PROGRAM = fileURLToPath\(new URL\('\.\/[\w.-]+\.ts', import\.meta\.url\)\)$/m,
    )
    assert.deepEqual(read(reader[0] as string).match(/\b(?:spawn|fork|exec\w*)\(\w+/g), ['fork(PROGRAM'])
    for (const file of filesWith(/child_process/).filter((file) => !reader.includes(file))) {
      const started = [...read(file).matchAll(/\b(spawn|fork|exec\w*)\(([\w.]+), \[(\w+)/g)].map(
        ([, , ...what]) => what,
      )
      assert.deepEqual(started, [['process.execPath', 'ENTRY']], file)
      assert.match(read(file), /^const ENTRY = fileURLToPath\(import\.meta\.resolve\('[./]+bin\/bukhindor\.js'\)\)$/m)
    }
  })

  test('connects to no host but the database and the mail server', () => {
    assert.deepEqual(filesWith(/\bfetch\(|node:https?'\)|http\.request|undici/), [])
  })

  test('uses no broken cryptographic algorithms', () => {
    assert.deepEqual(filesWith(/['"](md5|sha1|des|rc4|aes-\d+-(ecb|cbc))['"]|Math\.random\(\)\.toString/i), [])
  })

  test('contains no secrets', () => {
    assert.deepEqual(filesWith(/-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|xox[bp]-/), [])
  })
})
