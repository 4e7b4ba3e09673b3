import { randomFillSync } from 'node:crypto'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** The hexadecimal form of every byte: `Buffer.toString` and `padStart` would take most of the time of an id. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const hexOf16 = (value: number): string => (HEX[value >>> 8] as string) + HEX[value & 0xff]

const pool = new Uint16Array(4 * 256)
let used = pool.length

interface Sequence {
  millisecond: number
  counter: number
  /** The millisecond as the first two groups of an id. */
  prefix: string
}
const sequence = (): Sequence => ({ millisecond: 0, counter: 0, prefix: '' })
/** Separate sequences for given times and for the local time, because the clocks may differ. */
const given = sequence()
const local = sequence()

function advance(sequence: Sequence, millisecond: number, counter: number): void {
  const hex = millisecond.toString(16).padStart(12, '0')
  sequence.millisecond = millisecond
  sequence.counter = counter
  sequence.prefix = `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/** Returns 16 random bits, each used once. */
function random16(): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return pool[used++] as number
}

/**
 * Returns a UUIDv7 (RFC 9562, 5.7). IDs of a process are in order of creation even if the clock goes back: `rand_a` is
 * a 12-bit counter (section 6.2, method 1) that carries into the time when it overflows.
 */
export function newId(time?: number): string {
  const now = time ?? Date.now()
  const sequence = time === undefined ? local : given
  if (now > sequence.millisecond) advance(sequence, now, random16() & 0x7ff)
  else if (++sequence.counter > 0xfff) advance(sequence, sequence.millisecond + 1, 0)
  const variant = 0x8000 | (random16() & 0x3fff)
  const tail = hexOf16(random16()) + hexOf16(random16()) + hexOf16(random16())
  return `${sequence.prefix}-${hexOf16(0x7000 | sequence.counter)}-${hexOf16(variant)}-${tail}`
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
