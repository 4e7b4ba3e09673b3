import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createSealer } from '../../crypto/sealer.ts'
import { fingerprint } from '../../crypto/secrets.ts'
import type { Database } from '../../db/database.ts'
import { createRetryQueue } from '../../db/retry-queue.ts'
import { AppError, type ErrorDefinition } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { type Clock, DAY } from '../../lib/clock.ts'
import type { Declaration } from '../../lib/declaration.ts'
import { newId } from '../../lib/ids.ts'
import { type Claim, deleteExpiredKeys, findKey, keepAnswer, releaseKey, takeKey } from './idempotency.store.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The idempotency key that this request holds until it is answered. */
    claim: (Claim & { until: number }) | null
    /** The session that the answer of a public route hands out: the answer is given again only while that is good. */
    answeredSession: string | null
  }
  interface FastifyContextConfig {
    /** The fields of the body that tell one caller of a public route from another; all of them unless it says so. */
    caller?: readonly string[]
  }
}

/** Who repeats a request, and by which session. */
export interface Repeater {
  userId: string
  sessionId: string
}

/** What of an answer is kept for repeats of the request. */
interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
  /** The session by which it was asked, or that it hands out, and how that stood afterwards. */
  session: { id: string; standing: string | null } | null
}

interface Parts {
  database: Database
  clock: Clock
  config: { requestTimeout: number }
  keys: { sealing: Buffer[]; lookup: Buffer }
  /** A text that stays the same for as long as a session is good and its user keeps the password; null once it is over. */
  standingOf(sessionId: string): Promise<string | null>
  /** Counts a new key for whoever asks. False where it is not to be kept, and the request runs as if it had none. */
  admit(request: FastifyRequest): Promise<boolean>
  /** What `admit` throws: writes are documented to answer with it. */
  refusals: ErrorDefinition[]
}

const KEY_LIFETIME_MS = DAY
/** Longer answers are not kept; none of ours is near it. */
const MAX_ANSWER_BYTES = 64 * 1024
const WRITES = ['POST', 'PUT', 'PATCH', 'DELETE']
const ERRORS: ErrorDefinition[] = [
  kernelErrors.validation_failed,
  kernelErrors.idempotency_in_progress,
  kernelErrors.idempotency_key_reused,
]
const REPLAYED_HEADERS = ['content-type', 'etag', 'location', 'set-cookie', 'www-authenticate', 'x-request-id']

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
 * Why the effect and the kept answer are not one transaction, and who counts as the same caller:
 * @see docs/decisions/0027-idempotency-keys.md
 */
export function createIdempotency({ database: { db }, clock, config, keys, standingOf, admit, refusals }: Parts) {
  const sealer = createSealer(keys.sealing)
  const { run, enqueue } = createRetryQueue(clock)
  // A request that was answered by its deadline may still be at work: statements have deadlines of their own.
  const lease = 2 * config.requestTimeout

  const hash = (...parts: unknown[]) => fingerprint(keys.lookup, JSON.stringify(['idempotency', ...parts]))

  const keyOf = (request: FastifyRequest, caller: unknown): string =>
    hash('key', caller, request.headers['idempotency-key'])

  /** With the key itself, which is stored nowhere: so nobody can try passwords against it, not even by APP_SECRET. */
  const contentOf = ({ method, url, body, headers }: FastifyRequest): string =>
    hash('request', headers['idempotency-key'], method, url, body ?? null, headers['if-match'] ?? null)

  function open(sealed: string, id: string): Answer {
    const answer = sealer.open(sealed, id)
    if (answer === null) throw new Error('the answer that was kept for an idempotency key does not open')
    return JSON.parse(answer)
  }

  const give = (reply: FastifyReply, { status, headers, body }: Answer): FastifyReply =>
    reply
      .code(status)
      .headers({ ...headers, 'idempotency-replayed': 'true' })
      .send(body)

  /** Gives back the first answer where there is one; otherwise the request runs, and holds the key meanwhile. */
  async function enter(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const now = clock.now()
    const id = keyOf(request, request.actor?.userId ?? strangerOf(request))
    const claim = { id, request: contentOf(request), holder: newId(now), until: now + lease }
    const known = await findKey(db, id, now)
    if (!known) {
      if ((await admit(request)) && !(await take(request, claim))) throw inProgress()
      return
    }
    if (known.request !== claim.request) throw new AppError(kernelErrors.idempotency_key_reused)
    if (!known.answer) throw inProgress()
    const answer = open(known.answer, id)
    if (request.actor || (await isGood(answer))) return give(reply, answer)
    if (!(await take(request, claim, known.answer))) throw inProgress()
  }

  /** Whether the session that an answer hands out is as it was then. */
  const isGood = async ({ session }: Answer): Promise<boolean> =>
    session === null || (session.standing !== null && (await standingOf(session.id)) === session.standing)

  /** Whether the request holds its key from now on, which is new or had an `old` answer. */
  async function take(request: FastifyRequest, claim: Claim & { until: number }, old?: string): Promise<boolean> {
    const isTaken = await takeKey(db, claim, clock.now(), old).catch((error) => {
      enqueue({ write: () => releaseKey(db, claim), until: claim.until }) // Whether it was taken is not known.
      throw error
    })
    if (isTaken) request.claim = claim
    return isTaken
  }

  /** Keeps an answer that decides something; after one that does not, a repeat runs again. */
  async function leave(
    request: FastifyRequest,
    reply: FastifyReply,
    claim: Claim & { until: number },
    payload: unknown,
  ): Promise<void> {
    const { failure, actor } = request
    request.claim = null
    if (failure?.definition === kernelErrors.deadline_exceeded) return // Still at work, perhaps: the key runs out by itself.
    const body = String(payload ?? '')
    const isKept = decides(reply.statusCode, actor !== null) && Buffer.byteLength(body) <= MAX_ANSWER_BYTES
    const answer = { status: reply.statusCode, headers: keptHeaders(reply), body }
    const sessionId = request.answeredSession ?? actor?.sessionId ?? null
    const keptUntil = clock.now() + KEY_LIFETIME_MS
    const write = async () => {
      if (!isKept) return releaseKey(db, claim)
      const session = sessionId === null ? null : { id: sessionId, standing: await standingOf(sessionId) }
      return keepAnswer(db, claim, sealer.seal(JSON.stringify({ ...answer, session }), claim.id), keptUntil)
    }
    await run({ write, until: claim.until })
  }

  /** Whether somebody whose session is over may repeat the request by which it ended; a body is not yet needed. */
  async function mayRepeat(request: FastifyRequest, { userId, sessionId }: Repeater): Promise<boolean> {
    if (request.headers['idempotency-key'] === undefined) return false
    const id = keyOf(request, userId)
    const known = await findKey(db, id, clock.now())
    if (!known) return false
    return !known.answer || isEndOf(open(known.answer, id), sessionId)
  }

  /** Answers such a repeat as the first. Returns undefined where it is another request after all. */
  async function repeat(request: FastifyRequest, reply: FastifyReply, { userId, sessionId }: Repeater) {
    const id = keyOf(request, userId)
    const known = await findKey(db, id, clock.now())
    if (known?.request !== contentOf(request)) return
    if (!known.answer) throw inProgress()
    const answer = open(known.answer, id)
    return isEndOf(answer, sessionId) ? give(reply, answer) : undefined
  }

  return {
    declares: {
      retention: { idempotency_keys: (limit) => deleteExpiredKeys(db, clock.now(), limit) },
    } satisfies Declaration,
    mayRepeat,
    repeat,
    /** Lets every write under /api/v1 of its scope be repeated safely. Limits are registered before it, and so count repeats. */
    plugin: fp(
      async (app) => {
        app.decorateRequest('claim', null)
        app.decorateRequest('answeredSession', null)
        app.addHook('onRoute', (route) => {
          if (!isRepeatable(route)) return
          route.schema = { ...route.schema, headers: HEADERS }
          route.config = { ...route.config, errors: [...(route.config?.errors ?? []), ...ERRORS, ...refusals] }
        })
        app.addHook('preHandler', (request, reply, done) => {
          if (request.headers['idempotency-key'] === undefined || !isRepeatable(request.routeOptions)) return done()
          enter(request, reply).then((replayed) => replayed ?? done(), done)
        })
        app.addHook('onSend', (request, reply, payload, done) => {
          if (!request.claim) return done(null, payload)
          leave(request, reply, request.claim, payload).then(() => done(null, payload), done)
        })
      },
      { name: 'idempotency', fastify: '5.x', dependencies: ['request-log'] },
    ),
  }
}

export type Idempotency = ReturnType<typeof createIdempotency>

const isRepeatable = ({ url = '', method }: Partial<Pick<RouteOptions, 'url' | 'method'>>): boolean =>
  url.startsWith('/api/v1/') && [method].flat().some((name) => WRITES.includes(name as string))

/** Who calls a public route: the route, and what the body names. */
function strangerOf({ method, routeOptions: { url, config }, body }: FastifyRequest): unknown[] {
  const fields = (body ?? {}) as Record<string, unknown>
  return [method, url, config.caller?.map((name) => fields[name] ?? null) ?? body ?? null]
}

/**
 * Whether an answer is one for good. That somebody may not do something now, or not so soon, says nothing about later;
 * nor does any failure of somebody unknown.
 */
const decides = (status: number, isKnown: boolean): boolean =>
  isKnown ? status < 500 && ![401, 403, 408, 429].includes(status) : status < 400

/** Whether it was asked by a session that was over after it. */
const isEndOf = ({ session }: Answer, sessionId: string): boolean =>
  session?.id === sessionId && session.standing === null

const inProgress = () => new AppError(kernelErrors.idempotency_in_progress, { retryAfter: 1 })

function keptHeaders(reply: FastifyReply): Record<string, unknown> {
  const sent = reply.getHeaders()
  return Object.fromEntries(REPLAYED_HEADERS.filter((name) => sent[name]).map((name) => [name, sent[name]]))
}
