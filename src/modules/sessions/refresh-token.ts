import { createMac } from '../../kernel/crypto/mac.ts'
import { ID_BYTES, idAt } from '../../kernel/lib/ids.ts'
import { isGeneration } from './generations.ts'

const GENERATION_BYTES = 4
const BODY_BYTES = ID_BYTES + GENERATION_BYTES

export interface RefreshClaims {
  sessionId: string
  generation: number
}

/**
 * Refresh tokens: session id, generation and an HMAC-SHA256 over both, base64url, 70 characters. Each generation has
 * one token, so it can be issued again without being stored: docs/decisions/0001.
 */
export function createRefreshTokens(keys: Buffer[]) {
  const { sign, verify } = createMac(keys)

  function encode({ sessionId, generation }: RefreshClaims): string {
    const body = Buffer.alloc(BODY_BYTES)
    body.write(sessionId.replaceAll('-', ''), 'hex')
    body.writeUInt32BE(generation, ID_BYTES)
    return sign(body)
  }

  /** Returns the claims of a token, or null if it is invalid. */
  function decode(token: string): RefreshClaims | null {
    const body = verify(token)
    if (body?.length !== BODY_BYTES) return null
    const generation = body.readUInt32BE(ID_BYTES)
    return isGeneration(generation) ? { sessionId: idAt(body, 0), generation } : null
  }

  return { encode, decode }
}

export type RefreshTokens = ReturnType<typeof createRefreshTokens>
