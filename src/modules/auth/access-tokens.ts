import { calculateJwkThumbprint, errors, exportJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { ed25519Pair } from '../../kernel/crypto/secrets.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import type { Clock } from '../../kernel/lib/clock.ts'
import { isId, newId } from '../../kernel/lib/ids.ts'
import type { Config } from '../../settings/config.ts'
import type { DeviceClaims } from '../rate-limits/known-devices.ts'
import { isGeneration } from '../sessions/sessions.service.ts'
import { authErrors } from './auth.errors.ts'

const ALGORITHM = 'EdDSA'
const TYPE = 'at+jwt' // RFC 9068, section 2.1
const AUDIENCE = 'bukhindor'
const LEEWAY_SECONDS = 60 // seconds, for clocks of instances that differ
const MAX_TOKEN_LENGTH = 2048
const MAX_CACHED_TOKENS = 10_000

/** What an access token of ours says. */
export interface AccessClaims {
  sub: string
  sid: string
  gen: number
  exp: number
}

export interface AccessTokens {
  /** Signs a token for a session, and says for how many seconds it is good. */
  sign(claims: {
    userId: string
    sessionId: string
    generation: number
    role: string
    device: string
  }): Promise<{ token: string; expiresIn: number }>
  /** What a token of ours says, however long ago it expired. Throws AppError `token_invalid`. */
  read(token: string): Promise<AccessClaims>
  /** The known device that a token of ours was given to, however long ago; null where it is none of ours. */
  deviceOf(token: string): Promise<DeviceClaims | null>
  /** Throws AppError `token_invalid` or `token_expired`. */
  verify(token: string): AccessClaims | Promise<AccessClaims>
  /** The public keys, as RFC 7517 has them. */
  readonly jwks: { keys: JWK[] }
}

/**
 * Access tokens: JWTs signed with Ed25519 (RFC 8037), made and checked by constants (RFC 8725, 3.1): nothing in a token's
 * header chooses anything but a key among the known, by `kid`. A token that was verified once is remembered until it
 * expires, since checking a signature costs some thirty times a look into a table.
 */
export async function createAccessTokens(
  seeds: Buffer[],
  clock: Clock,
  config: Pick<Config, 'appUrl' | 'accessTokenTtl'>,
): Promise<AccessTokens> {
  const known = await Promise.all(
    seeds.map(ed25519Pair).map(async (pair) => {
      const jwk = await exportJWK(pair.publicKey)
      return { ...pair, jwk: { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: ALGORITHM, use: 'sig' } } // RFC 7638
    }),
  )
  const [signer] = known
  if (!signer) throw new Error('no signing key')
  const verified = new LRUCache<string, AccessClaims>({ max: MAX_CACHED_TOKENS })
  const seconds = () => Math.floor(clock.now() / 1000)

  async function payloadOf(token: string, at: number): Promise<JWTPayload> {
    if (token.length > MAX_TOKEN_LENGTH || !isCanonical(token)) throw invalid('The token is not a compact JWS.')
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = known.find(({ jwk }) => jwk.kid === kid)
        if (!key) throw new errors.JWKSNoMatchingKey()
        return key.publicKey
      },
      {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: config.appUrl,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'sid', 'gen', 'iat', 'exp', 'jti'],
        currentDate: new Date(at),
      },
    ).catch((error) => {
      throw error instanceof errors.JWTExpired
        ? new AppError(authErrors.token_expired)
        : invalid((error as Error).message)
    })
    return payload
  }

  async function check(token: string): Promise<AccessClaims> {
    const payload = await payloadOf(token, clock.now())
    // Signed while a clock was wrong: not one second of it may count beyond what a right clock would have given.
    if ((payload.iat as number) > seconds() + LEEWAY_SECONDS) throw new AppError(authErrors.token_expired)
    return claimsOf(payload)
  }

  return {
    jwks: { keys: known.map(({ jwk }) => jwk) },
    async sign({ userId, sessionId, generation, role, device }) {
      const now = seconds()
      const expiresIn = Math.floor(config.accessTokenTtl / 1000)
      // A device that has the id of the session need not be named.
      const did = device === sessionId ? undefined : device
      const token = await new SignJWT({ sid: sessionId, gen: generation, role, did })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: signer.jwk.kid })
        .setIssuer(config.appUrl)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setIssuedAt(now)
        .setExpirationTime(now + expiresIn)
        .setJti(newId(clock.now()))
        .sign(signer.privateKey)
      return { token, expiresIn }
    },
    read: async (token) => claimsOf(await payloadOf(token, 0)),
    async deviceOf(token) {
      try {
        const { sub, sid, did = sid } = await payloadOf(token, 0)
        return isUuid(sub) && isUuid(did) ? { userId: sub, device: did } : null
      } catch {
        return null
      }
    },
    verify(token) {
      const claims = verified.get(token)
      if (claims) {
        if (claims.exp > seconds()) return claims
        verified.delete(token)
        throw new AppError(authErrors.token_expired)
      }
      return check(token).then((claims) => {
        verified.set(token, claims)
        return claims
      })
    },
  }
}

/** What a payload says of the caller. Throws AppError `token_invalid` where it is not of the form that we sign. */
function claimsOf({ sub, sid, gen, exp }: JWTPayload): AccessClaims {
  if (!isUuid(sub) || !isUuid(sid) || !isGeneration(gen)) throw invalid('A claim is missing or malformed.')
  return { sub, sid, gen, exp: exp as number }
}

const isUuid = (claim: unknown): claim is string => typeof claim === 'string' && isId(claim)

const invalid = (detail: string) => new AppError(authErrors.token_invalid, { detail })

/** Three parts of base64url, each in its one spelling: a token whose last letter was changed is another token. */
const isCanonical = (token: string): boolean =>
  /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) &&
  token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
