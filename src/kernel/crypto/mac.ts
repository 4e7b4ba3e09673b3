import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

/**
 * Signs bytes with HMAC-SHA256: `sign` returns them and the MAC as one base64url text, the MAC last.
 * @param secrets the first signs, all of them verify
 * @param macBytes length to which the MAC is truncated
 */
export function createMac(secrets: Buffer[], macBytes = 32) {
  const keys = secrets.map((secret) => createSecretKey(secret)) // An HMAC with a Buffer takes six times as long.
  const macOf = (key: KeyObject, body: Buffer) => createHmac('sha256', key).update(body).digest().subarray(0, macBytes)

  const sign = (body: Buffer): string => Buffer.concat([body, macOf(keys[0] as KeyObject, body)]).toString('base64url')

  /** Returns the signed bytes; null if the MAC is wrong or the text is not canonical base64url. */
  function verify(text: string): Buffer | null {
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length <= macBytes || bytes.toString('base64url') !== text) return null
    const [body, mac] = [bytes.subarray(0, -macBytes), bytes.subarray(-macBytes)]
    return keys.some((key) => timingSafeEqual(macOf(key, body), mac)) ? body : null
  }

  return { sign, verify }
}
