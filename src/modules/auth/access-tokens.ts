import { sign } from 'node:crypto'
import { calculateJwkThumbprint, errors, exportJWK, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Static } from 'typebox'
import { ed25519Pair } from '../../kernel/crypto/secrets.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import type { Clock } from '../../kernel/lib/clock.ts'
import { isId, newId } from '../../kernel/lib/ids.ts'
import type { Config } from '../../settings/config.ts'
import type { DeviceClaims } from '../rate-limits/known-devices.ts'
import { isGeneration } from '../sessions/sessions.service.ts'
import { authErrors } from './auth.errors.ts'
import type { Jwks } from './auth.schemas.ts'

const ALGORITHM = 'EdDSA'
const TYPE = 'at+jwt' // RFC 9068, section 2.1
const AUDIENCE = 'bukhindor'
const LEEWAY_SECONDS = 60 // for clock differences between instances
const MAX_TOKEN_LENGTH = 2048
const MAX_CACHED_TOKENS = 10_000

/** The claims of an access token. */
export interface AccessClaims {
  sub: string
  sid: string
  gen: number
  exp: number
}

export interface AccessTokens {
  /** Signs a token for a session. `expiresIn` is in seconds. */
  sign(claims: { userId: string; sessionId: string; generation: number; role: string; device: string }): {
    token: string
    expiresIn: number
  }
  /** Returns the claims of a token with a valid signature, even if it has expired. Throws AppError `token_invalid`. */
  read(token: string): Promise<AccessClaims>
  /** Returns the known device of a token with a valid signature, even if it has expired; otherwise null. */
  deviceOf(token: string): Promise<DeviceClaims | null>
  /** Throws AppError `token_invalid` or `token_expired`. */
  verify(token: string): AccessClaims | Promise<AccessClaims>
  /** The public keys as a JWK Set (RFC 7517). */
  readonly jwks: Static<typeof Jwks>
}

/**
 * Access tokens: JWTs signed with Ed25519 (RFC 8037). Algorithm and type are constants (RFC 8725, 3.1): the header of a
 * token selects only the key, by `kid`. Verified tokens are cached until they expire.
 */
export async function createAccessTokens(
  seeds: Buffer[],
  clock: Clock,
  config: Pick<Config, 'appUrl' | 'accessTokenTtl'>,
): Promise<AccessTokens> {
  const signingKeys = await Promise.all(
    seeds.map(ed25519Pair).map(async (pair) => {
      const jwk = (await exportJWK(pair.publicKey)) as { kty: string; crv: string; x: string }
      return { ...pair, jwk: { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: ALGORITHM, use: 'sig' } } // RFC 7638
    }),
  )
  const [signer] = signingKeys
  if (!signer) throw new Error('no signing key')
  const header = base64url({ alg: ALGORITHM, typ: TYPE, kid: signer.jwk.kid })
  const verified = new LRUCache<string, AccessClaims>({ max: MAX_CACHED_TOKENS })
  const seconds = () => Math.floor(clock.now() / 1000)

  async function payloadOf(token: string, at: number): Promise<JWTPayload> {
    if (token.length > MAX_TOKEN_LENGTH || !isCanonical(token)) throw invalid('The token is not a compact JWS.')
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = signingKeys.find(({ jwk }) => jwk.kid === kid)
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
    // Signed while a clock was ahead: the token must not be valid for longer than one signed at the right time.
    if ((payload.iat as number) > seconds() + LEEWAY_SECONDS) throw new AppError(authErrors.token_expired)
    return claimsOf(payload)
  }

  return {
    jwks: { keys: signingKeys.map(({ jwk }) => jwk) },
    sign({ userId, sessionId, generation, role, device }) {
      const now = seconds()
      const expiresIn = Math.floor(config.accessTokenTtl / 1000)
      // A device with the id of the session needs no claim.
      const did = device === sessionId ? undefined : device
      const claims = { sid: sessionId, gen: generation, role, did, iss: config.appUrl, aud: AUDIENCE, sub: userId }
      const body = base64url({ ...claims, iat: now, exp: now + expiresIn, jti: newId(clock.now()) })
      const signature = sign(null, Buffer.from(`${header}.${body}`), signer.privateKey).toString('base64url')
      return { token: `${header}.${body}.${signature}`, expiresIn }
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

/** Returns the claims of a payload. Throws AppError `token_invalid` if one is missing or malformed. */
function claimsOf({ sub, sid, gen, exp }: JWTPayload): AccessClaims {
  if (!isUuid(sub) || !isUuid(sid) || !isGeneration(gen)) throw invalid('A claim is missing or malformed.')
  return { sub, sid, gen, exp: exp as number }
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const isUuid = (claim: unknown): claim is string => typeof claim === 'string' && isId(claim)

const invalid = (detail: string) => new AppError(authErrors.token_invalid, { detail })

/**
 * Returns whether a token is three parts of canonical base64url: otherwise a changed last letter could leave it valid.
 */
const isCanonical = (token: string): boolean =>
  /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) &&
  token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
