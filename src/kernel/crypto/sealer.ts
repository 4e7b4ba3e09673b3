import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
const IV_BYTES = 12 // random: safe for 2^32 texts per key (NIST SP 800-38D, 8.3)
const TAG_BYTES = 16

/**
 * Encrypts values in the database with AES-256-GCM. `context` is authenticated with them, such as the id of the row, so
 * that encrypted values cannot be swapped between rows.
 * @param keys 32 bytes each, newest first: the first encrypts, all of them decrypt
 */
export function createSealer(keys: Buffer[]) {
  return {
    /** Returns initialisation vector, ciphertext and tag, in base64url. */
    seal(plaintext: string | Buffer, context: string): string {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(ALGORITHM, keys[0] as Buffer, iv, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(context))
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]).toString('base64url')
    },
    /** Returns the plaintext; null if it was modified, belongs to another context, or was encrypted with another key. */
    open(sealed: string, context: string): string | null {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < IV_BYTES + TAG_BYTES) return null
      for (const key of keys) {
        const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES))
        try {
          return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString()
        } catch {} // Another key, or a modified text.
      }
      return null
    },
  }
}

export type Sealer = ReturnType<typeof createSealer>
