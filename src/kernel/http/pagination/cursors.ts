import { createHmac, timingSafeEqual } from 'node:crypto'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'

/** Where a list goes on: after this value and id, in this order, on this page. */
export interface Position {
  sort: string
  value: string
  id: string
  page: number
}

const MAC_BYTES = 16

/** Cursors that a client can neither read meaning into nor change: JSON with a truncated HMAC-SHA256, base64url. */
export function createCursors(keys: Buffer[]) {
  const mac = (key: Buffer, body: Buffer) => createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES)
  return {
    encode({ sort, value, id, page }: Position): string {
      const body = Buffer.from(JSON.stringify([sort, value, id, page]))
      return Buffer.concat([mac(keys[0] as Buffer, body), body]).toString('base64url')
    },
    /** Throws AppError `invalid_cursor` when it is not one of ours, or belongs to another order. */
    decode(cursor: string, sort: string): Position {
      const bytes = Buffer.from(cursor, 'base64url')
      const [tag, body] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES)]
      const known = tag.length === MAC_BYTES && keys.some((key) => timingSafeEqual(mac(key, body), tag))
      if (!known || bytes.toString('base64url') !== cursor)
        throw new AppError(kernelErrors.invalid_cursor, {
          detail: 'The cursor was modified or was not issued by this service.',
        })
      const [of, value, id, page] = JSON.parse(body.toString()) as [string, string, string, number]
      if (of !== sort)
        throw new AppError(kernelErrors.invalid_cursor, {
          detail: `The cursor was issued for sort=${of}, but the request has sort=${sort}.`,
        })
      return { sort, value, id, page }
    },
  }
}

export type Cursors = ReturnType<typeof createCursors>
