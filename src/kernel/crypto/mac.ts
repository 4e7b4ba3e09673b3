import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Signs bytes with HMAC-SHA256 and writes both as one base64url text, the MAC last.
 * @param keys the first signs, all of them verify
 * @param macBytes how much of the MAC is kept
 */
export function createMac(keys: Buffer[], macBytes = 32) {
  const macOf = (key: Buffer, body: Buffer) => createHmac('sha256', key).update(body).digest().subarray(0, macBytes)

  const sign = (body: Buffer): string => Buffer.concat([body, macOf(keys[0] as Buffer, body)]).toString('base64url')

  /** The bytes that a text signs; null where they are not ours, or where the text is another spelling of one that is. */
  function verify(text: string): Buffer | null {
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length <= macBytes || bytes.toString('base64url') !== text) return null
    const [body, mac] = [bytes.subarray(0, -macBytes), bytes.subarray(-macBytes)]
    return keys.some((key) => timingSafeEqual(macOf(key, body), mac)) ? body : null
  }

  return { sign, verify }
}
