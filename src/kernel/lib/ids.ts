import { randomFillSync } from 'node:crypto'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const pool = Buffer.alloc(8 * 256)
let used = pool.length
/** Separate sequences for given times and for the local time, because the clocks may differ. */
const given = { lastMillisecond: 0, counter: 0 }
const local = { lastMillisecond: 0, counter: 0 }

/**
 * Returns a UUIDv7 (RFC 9562, 5.7). IDs of a process are in order of creation even if the clock goes back: `rand_a` is
 * a 12-bit counter (section 6.2, method 1) that carries into the time when it overflows.
 */
export function newId(time?: number): string {
  const now = time ?? Date.now()
  const sequence = time === undefined ? local : given
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  if (now > sequence.lastMillisecond) {
    sequence.lastMillisecond = now
    sequence.counter = pool.readUInt16BE(used) & 0x7ff
  } else if (++sequence.counter > 0xfff) {
    sequence.lastMillisecond++
    sequence.counter = 0
  }
  const bytes = pool.subarray(used, used + 8)
  used += 8
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x80
  const hex = sequence.lastMillisecond.toString(16).padStart(12, '0')
  const random = bytes.toString('hex')
  const count = (0x7000 | sequence.counter).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8)}-${count}-${random.slice(0, 4)}-${random.slice(4)}`
}

/** Returns the least id of a time in milliseconds: ids sort by time, so an index on ids also finds times. */
export function firstIdOf(milliseconds: number): string {
  const time = Math.max(0, Math.min(milliseconds, 2 ** 48 - 1))
    .toString(16)
    .padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`
}

/** The least and the greatest id. */
export const LEAST_ID = '00000000-0000-0000-0000-000000000000'
export const GREATEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Whether a text is a UUID in its canonical lower-case form. */
export const isId = (text: string): boolean => UUID.test(text)

/** Length of an id in binary form. */
export const ID_BYTES = 16

/** Reads a binary id at an offset. */
export const idAt = (bytes: Buffer, start: number): string =>
  bytes.toString('hex', start, start + ID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
