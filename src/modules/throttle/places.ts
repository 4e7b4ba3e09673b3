import { parseAddress } from '../../kernel/addresses.ts'
import type { Device } from '../../kernel/origin.ts'

/** Shorter names of devices are no names but kinds: `iPhone` may be anybody's. */
const SHORTEST_ID = 16

/** What makes a device the same one at its next sign-in: the name that the app gives it, else where and what it is. */
export const deviceText = ({ device_id, ip, user_agent }: Device): string =>
  device_id && device_id.length >= SHORTEST_ID
    ? `id\n${device_id}`
    : `at\n${parseAddress(ip ?? '')?.network ?? ''}\n${user_agent ?? ''}`
