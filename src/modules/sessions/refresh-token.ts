import { createHmac, timingSafeEqual } from 'node:crypto'
import { isGeneration } from './generations.ts'

const ID_BYTES = 16
const GENERATION_BYTES = 4
const MAC_BYTES = 32
const LENGTH = ID_BYTES + GENERATION_BYTES + MAC_BYTES

export interface RefreshClaims {
  sessionId: string
  generation: number
}

/**
 * Refresh tokens: session id, generation and their HMAC-SHA256, base64url, 70 characters. One generation has one token,
 * so a repeated refresh gives the same again without anything being stored that could be stolen from the database.
 */
export function createRefreshTokens(keys: Buffer[]) {
  const mac = (key: Buffer, body: Buffer) => createHmac('sha256', key).update(body).digest()
  return {
    encode({ sessionId, generation }: RefreshClaims): string {
      const body = Buffer.alloc(ID_BYTES + GENERATION_BYTES)
      body.write(sessionId.replaceAll('-', ''), 'hex')
      body.writeUInt32BE(generation, ID_BYTES)
      return Buffer.concat([body, mac(keys[0] as Buffer, body)]).toString('base64url')
    },
    /** What a token says, or null when it is not one of ours. */
    decode(token: string): RefreshClaims | null {
      const bytes = Buffer.from(token, 'base64url')
      if (bytes.length !== LENGTH || bytes.toString('base64url') !== token) return null
      const [body, tag] = [bytes.subarray(0, LENGTH - MAC_BYTES), bytes.subarray(LENGTH - MAC_BYTES)]
      if (!keys.some((key) => timingSafeEqual(mac(key, body), tag))) return null
      const generation = body.readUInt32BE(ID_BYTES)
      if (!isGeneration(generation)) return null
      const hex = body.toString('hex', 0, ID_BYTES)
      return {
        sessionId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
        generation,
      }
    },
  }
}

export type RefreshTokens = ReturnType<typeof createRefreshTokens>
