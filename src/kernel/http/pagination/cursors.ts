import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'

/** The position in a list: the value and id of the last row, the sort order, and the page number. */
export interface Position {
  sort: string
  value: string
  id: string
  page: number
}

const MAC_BYTES = 16

/** Creates signed cursors: JSON with a truncated HMAC-SHA256, in base64url. The first key signs, all of them verify. */
export function createCursors(secrets: Buffer[]) {
  const keys = secrets.map((secret) => createSecretKey(secret))
  const mac = (key: KeyObject, body: Buffer) => createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES)
  return {
    encode({ sort, value, id, page }: Position): string {
      const body = Buffer.from(JSON.stringify([sort, value, id, page]))
      return Buffer.concat([mac(keys[0] as KeyObject, body), body]).toString('base64url')
    },
    /** Decodes a cursor. Throws AppError `invalid_cursor` if it was modified or is for another sort order. */
    decode(cursor: string, sort: string): Position {
      const bytes = Buffer.from(cursor, 'base64url')
      const [tag, body] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES)]
      const isAuthentic = tag.length === MAC_BYTES && keys.some((key) => timingSafeEqual(mac(key, body), tag))
      if (!isAuthentic || bytes.toString('base64url') !== cursor)
        throw new AppError(kernelErrors.invalid_cursor, {
          detail: 'The cursor was modified or was not issued by this service.',
        })
      const [issuedFor, value, id, page] = JSON.parse(body.toString()) as [string, string, string, number]
      if (issuedFor !== sort)
        throw new AppError(kernelErrors.invalid_cursor, {
          detail: `The cursor was issued for sort=${issuedFor}, but the request has sort=${sort}.`,
        })
      return { sort, value, id, page }
    },
  }
}

export type Cursors = ReturnType<typeof createCursors>
