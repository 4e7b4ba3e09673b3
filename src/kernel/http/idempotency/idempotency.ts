import type { KeyObject } from 'node:crypto'
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
import { type Claim, deleteExpiredKeys, findKey, releaseKey, storeAnswer, takeKey } from './idempotency.store.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The claim on an idempotency key that this request holds until it is answered. */
    claim: (Claim & { until: number }) | null
    /** The session that the response of a public route starts: it is replayed only while that session is valid. */
    answeredSession: string | null
  }
  interface FastifyContextConfig {
    /** The fields of the body that identify the caller of a public route; by default the whole body. */
    caller?: readonly string[]
  }
}

/** The user who repeats a request, and the session of the request. */
export interface Repeater {
  userId: string
  sessionId: string
}

/** A response as it is stored for repeats of the request. */
interface StoredResponse {
  status: number
  headers: Record<string, unknown>
  body: string
  /**
   * The session of the request, or the one that it started. `standing` is the result of `fingerprintOf` after the
   * request, under the name by which other versions store and read it.
   */
  session: { id: string; standing: string | null } | null
}

interface Parts {
  database: Database
  clock: Clock
  config: { requestTimeout: number }
  keys: { sealing: Buffer[]; lookup: KeyObject }
  /** Returns a text that changes when the password of a session's user changes; null if the session has ended. */
  fingerprintOf(sessionId: string): Promise<string | null>
  /** Counts a new key of the client. Resolves to false if the request should run as if it had no key. */
  admit(request: FastifyRequest): Promise<boolean>
  /** The errors that `admit` throws, for the documentation of routes. */
  refusals: ErrorDefinition[]
}

const KEY_LIFETIME_MS = DAY
/** Longer responses are not stored. */
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
    // In lower case, as in Node.js; a custom validator gets the schema unchanged. Documented in openapi.headers.ts.
    'idempotency-key': { type: 'string', minLength: 1, maxLength: 255, format: 'printable-ascii' },
  },
}

/**
 * Implements `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). The row of a key is its lock; it contains
 * keyed hashes of the key and the request, and the encrypted response.
 * @see docs/decisions/0027-idempotency-keys.md
 */
export function createIdempotency({ database: { db }, clock, config, keys, fingerprintOf, admit, refusals }: Parts) {
  const sealer = createSealer(keys.sealing)
  const { run, enqueue } = createRetryQueue(clock)
  // A request that exceeded its deadline may still be running: its statements have their own deadlines.
  const claimMs = 2 * config.requestTimeout

  const hash = (...parts: unknown[]) => fingerprint(keys.lookup, JSON.stringify(['idempotency', ...parts]))

  const keyOf = (request: FastifyRequest, caller: unknown): string =>
    hash('key', caller, request.headers['idempotency-key'])

  /** Hashes a request with its key, which is not stored: passwords cannot be tried against the hash, even with APP_SECRET. */
  const requestHash = ({ method, url, body, headers }: FastifyRequest): string =>
    hash('request', headers['idempotency-key'], method, url, body ?? null, headers['if-match'] ?? null)

  function open(sealed: string, id: string): StoredResponse {
    const answer = sealer.open(sealed, id)
    if (answer === null) throw new Error('the stored response of an idempotency key cannot be decrypted')
    return JSON.parse(answer)
  }

  /** Sends a stored response. Returns true, not the reply: awaiting a reply waits until it has been read, and is void. */
  function replay(reply: FastifyReply, { status, headers, body }: StoredResponse): true {
    reply
      .code(status)
      .headers({ ...headers, 'idempotency-replayed': 'true' })
      .send(body)
    return true
  }

  /** Replays the stored response and returns true, or claims the key for the request, which then runs. */
  async function handleKey(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const now = clock.now()
    const id = keyOf(request, request.actor?.userId ?? anonymousCaller(request))
    const claim = { id, request: requestHash(request), holder: newId(now), until: now + claimMs }
    const known = await findKey(db, id, now)
    if (!known) {
      if ((await admit(request)) && !(await claimKey(request, claim))) throw inProgress()
      return false
    }
    if (known.request !== claim.request) throw new AppError(kernelErrors.idempotency_key_reused)
    if (!known.answer) throw inProgress()
    const answer = open(known.answer, id)
    if (request.actor || (await isReplayable(answer))) return replay(reply, answer)
    if (!(await claimKey(request, claim, known.answer))) throw inProgress()
    return false
  }

  /** Whether the session of a stored response has the same fingerprint as then. */
  const isReplayable = async ({ session }: StoredResponse): Promise<boolean> =>
    session === null || (session.standing !== null && (await fingerprintOf(session.id)) === session.standing)

  /** Claims a key that is new or has the stored response `old`. Returns whether the request holds it. */
  async function claimKey(request: FastifyRequest, claim: Claim & { until: number }, old?: string): Promise<boolean> {
    const isTaken = await takeKey(db, claim, clock.now(), old).catch((error) => {
      enqueue({ write: () => releaseKey(db, claim), until: claim.until }) // The claim may have succeeded.
      throw error
    })
    if (isTaken) request.claim = claim
    return isTaken
  }

  /** Stores a final response; otherwise releases the key, so that a repeat runs again. */
  async function storeOrRelease(
    request: FastifyRequest,
    reply: FastifyReply,
    claim: Claim & { until: number },
    payload: unknown,
  ): Promise<void> {
    const { failure, actor } = request
    request.claim = null
    if (failure?.definition === kernelErrors.deadline_exceeded) return // It may still be running: let the claim expire.
    const body = String(payload ?? '')
    const isStored = isFinal(reply.statusCode, actor !== null) && Buffer.byteLength(body) <= MAX_ANSWER_BYTES
    const answer = { status: reply.statusCode, headers: replayedHeaders(reply), body }
    const sessionId = request.answeredSession ?? actor?.sessionId ?? null
    const expiresAt = clock.now() + KEY_LIFETIME_MS
    const write = async () => {
      if (!isStored) return releaseKey(db, claim)
      const session = sessionId === null ? null : { id: sessionId, standing: await fingerprintOf(sessionId) }
      return storeAnswer(db, claim, sealer.seal(JSON.stringify({ ...answer, session }), claim.id), expiresAt)
    }
    await run({ write, until: claim.until })
  }

  /** Whether an ended session may repeat the request that ended it; checked before the body is read. */
  async function mayRepeat(request: FastifyRequest, { userId, sessionId }: Repeater): Promise<boolean> {
    if (request.headers['idempotency-key'] === undefined) return false
    const id = keyOf(request, userId)
    const known = await findKey(db, id, clock.now())
    if (!known) return false
    return !known.answer || endedSession(open(known.answer, id), sessionId)
  }

  /** Replays the response to such a repeat. Returns false if it is another request. */
  async function repeat(
    request: FastifyRequest,
    reply: FastifyReply,
    { userId, sessionId }: Repeater,
  ): Promise<boolean> {
    const id = keyOf(request, userId)
    const known = await findKey(db, id, clock.now())
    if (known?.request !== requestHash(request)) return false
    if (!known.answer) throw inProgress()
    const answer = open(known.answer, id)
    return endedSession(answer, sessionId) && replay(reply, answer)
  }

  return {
    declares: {
      retention: { idempotency_keys: (limit) => deleteExpiredKeys(db, clock.now(), limit) },
    } satisfies Declaration,
    mayRepeat,
    repeat,
    /** Handles the keys of writes under /api/v1 in its scope. Rate limits are registered before it and count repeats. */
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
          handleKey(request, reply).then((isReplayed) => (isReplayed ? undefined : done()), done)
        })
        app.addHook('onSend', (request, reply, payload, done) => {
          if (!request.claim) return done(null, payload)
          storeOrRelease(request, reply, request.claim, payload).then(() => done(null, payload), done)
        })
      },
      { name: 'idempotency', fastify: '5.x', dependencies: ['request-log'] },
    ),
  }
}

export type Idempotency = ReturnType<typeof createIdempotency>

const isRepeatable = ({ url = '', method }: Partial<Pick<RouteOptions, 'url' | 'method'>>): boolean =>
  url.startsWith('/api/v1/') && [method].flat().some((name) => WRITES.includes(name as string))

/** Identifies the caller of a public route: by the route and the identifying fields of the body. */
function anonymousCaller({ method, routeOptions: { url, config }, body }: FastifyRequest): unknown[] {
  const fields = (body ?? {}) as Record<string, unknown>
  return [method, url, config.caller?.map((name) => fields[name] ?? null) ?? body ?? null]
}

/** Whether a response is final: missing permissions, rate limits and failures of anonymous clients may change. */
const isFinal = (status: number, isSignedIn: boolean): boolean =>
  isSignedIn ? status < 500 && ![401, 403, 408, 429].includes(status) : status < 400

/** Whether the request was made by this session and ended it. */
const endedSession = ({ session }: StoredResponse, sessionId: string): boolean =>
  session?.id === sessionId && session.standing === null

const inProgress = () => new AppError(kernelErrors.idempotency_in_progress, { retryAfter: 1 })

function replayedHeaders(reply: FastifyReply): Record<string, unknown> {
  const sent = reply.getHeaders()
  return Object.fromEntries(REPLAYED_HEADERS.filter((name) => sent[name]).map((name) => [name, sent[name]]))
}
