import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Clock, DAY } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Database } from '../db/database.ts'
import { createSettling } from '../db/settling.ts'
import { AppError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Reason } from '../reasons.ts'
import { createSealer } from '../sealing.ts'
import { fingerprint, type Keys } from '../secrets.ts'
import { type Claim, deleteExpiredKeys, findKey, keepAnswer, releaseKey, takeKey } from './idempotency.store.ts'
import type { App } from './server.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The idempotency key that this request holds until it is answered. */
    claim: (Claim & { until: number }) | null
  }
}

/** What of an answer is kept for repeats of the request. */
interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
}

const KEPT_FOR = DAY
const WRITES = ['POST', 'PUT', 'PATCH', 'DELETE']
const REASONS: Reason[] = ['validation_failed', 'idempotency_in_progress', 'idempotency_key_reused']
const KEPT_HEADERS = [
  'content-type',
  'etag',
  'location',
  'set-cookie',
  'clear-site-data',
  'www-authenticate',
  'x-request-id',
]

const HEADERS = {
  type: 'object',
  properties: {
    // In lower case, as Node has it: a validator of one's own gets the schema as it stands. Described in openapi.headers.ts.
    'idempotency-key': { type: 'string', minLength: 1, maxLength: 255, format: 'printable-ascii' },
  },
}

/**
 * `Idempotency-Key` (contract, section 6; after draft-ietf-httpapi-idempotency-key-header). The row of a key is its lock;
 * it holds no readable word: keyed hashes of the key and of the request, and the answer, which may contain tokens, sealed.
 *
 * The row is written before the request takes effect and the answer after it, not in one transaction: password hashing
 * would hold that open. So a process that dies between effect and answer leaves a key that runs out, and the request
 * then runs again. No account and no change is doubled by that: e-mails are unique, an update sets what it has set, a
 * refresh repeats itself. What can come twice is a session, and a mail whose link replaces the first; and the repeat may be
 * told what the first has done (`email_taken`, `precondition_failed`) instead of its answer.
 */
export function createIdempotency({
  database: { db },
  clock,
  config,
  keys,
}: {
  database: Database
  clock: Clock
  config: Pick<Config, 'requestTimeout'>
  keys: Pick<Keys, 'sealing' | 'lookup'>
}) {
  const sealer = createSealer(keys.sealing)
  const { settle, later } = createSettling(clock)
  // A request that was answered by its deadline may still be at work: statements have deadlines of their own.
  const lease = 2 * config.requestTimeout

  const hash = (...parts: unknown[]) => fingerprint(keys.lookup, JSON.stringify(['idempotency', ...parts]))

  /** Gives back the first answer where there is one; otherwise the request runs, and holds the key meanwhile. */
  async function enter(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const key = request.headers['idempotency-key']
    if (key === undefined) return
    const { method, url, body, headers, actor, routeOptions } = request
    const now = clock.now()
    const claim = {
      id: hash('key', actor?.userId ?? [method, routeOptions.url], key),
      // With the key itself, which is stored nowhere: so nobody can try passwords against it, not even by APP_SECRET.
      request: hash('request', key, method, url, body ?? null, headers['if-match'] ?? null),
      holder: newId(now),
    }
    const until = now + lease
    const isTaken = await takeKey(db, claim, now, until).catch((error) => {
      later({ write: () => releaseKey(db, claim), until }) // Whether it was taken is not known.
      throw error
    })
    if (isTaken) {
      request.claim = { ...claim, until }
      return
    }
    const known = await findKey(db, claim.id)
    if (known && known.request !== claim.request) throw new AppError('idempotency_key_reused')
    if (!known?.answer) throw new AppError('idempotency_in_progress', { retryAfter: 1 })
    const answer = sealer.open(known.answer, claim.id)
    if (answer === null) throw new Error('the answer that was kept for an idempotency key does not open')
    const { status, headers: kept, body: text }: Answer = JSON.parse(answer)
    return reply
      .code(status)
      .headers({ ...kept, 'idempotency-replayed': 'true' })
      .send(text)
  }

  /** Keeps an answer that decides something; after one that does not, a repeat runs again. */
  async function leave(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const { claim, failure } = request
    if (!claim) return payload
    request.claim = null
    if (failure?.reason === 'deadline_exceeded') return payload // Still at work, perhaps: the key runs out by itself.
    const { statusCode: status } = reply
    const isDecision = status < 500 && status !== 408 && status !== 429
    const answer = isDecision ? sealer.seal(JSON.stringify(answerOf(reply, payload)), claim.id) : null
    const keptUntil = clock.now() + KEPT_FOR
    await settle({
      write: () => (answer === null ? releaseKey(db, claim) : keepAnswer(db, claim, answer, keptUntil)),
      until: claim.until,
    })
    return payload
  }

  return {
    /** Deletes up to `limit` keys whose time is over. Returns how many. */
    purge: (limit: number) => deleteExpiredKeys(db, clock.now(), limit),
    /** Lets every write under /api/v1 that is registered after it be repeated safely. Without the header it costs nothing. */
    protectWrites(app: App): void {
      app.decorateRequest('claim', null)
      app.addHook('onRoute', (route) => {
        if (!route.url.startsWith('/api/v1/') || ![route.method].flat().some((method) => WRITES.includes(method)))
          return
        route.preHandler = [...[route.preHandler ?? []].flat(), enter] // What is limited is limited with a key as well.
        route.onSend = [...[route.onSend ?? []].flat(), leave]
        route.schema = { ...route.schema, headers: HEADERS }
        route.config = { ...route.config, reasons: [...(route.config?.reasons ?? []), ...REASONS] }
      })
    },
  }
}

function answerOf(reply: FastifyReply, payload: unknown): Answer {
  const sent = reply.getHeaders()
  const headers = Object.fromEntries(KEPT_HEADERS.filter((name) => sent[name]).map((name) => [name, sent[name]]))
  return { status: reply.statusCode, headers, body: String(payload ?? '') }
}
