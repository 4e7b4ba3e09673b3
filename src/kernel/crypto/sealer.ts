import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
const IV_BYTES = 12 // random: good for 2^32 texts of one key (NIST SP 800-38D, 8.3)
const TAG_BYTES = 16

/**
 * Encryption of what waits in the database: AES-256-GCM. The `context` says what a text belongs to, such as the id of its
 * row; sealed in one context it does not open in another, so that nobody can swap texts between rows.
 *
 * @param keys 32 bytes each, newest first: the first seals, all of them open
 */
export function createSealer(keys: Buffer[]) {
  return {
    /** Initialisation vector, ciphertext and tag, base64url. */
    seal(plaintext: string | Buffer, context: string): string {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(ALGORITHM, keys[0] as Buffer, iv, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(context))
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]).toString('base64url')
    },
    /** The text, or null when it was changed, belongs to another context, or no key of ours sealed it. */
    open(sealed: string, context: string): string | null {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < IV_BYTES + TAG_BYTES) return null
      for (const key of keys) {
        const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES))
        try {
          return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString()
        } catch {} // Not this key.
      }
      return null
    },
  }
}

export type Sealer = ReturnType<typeof createSealer>
