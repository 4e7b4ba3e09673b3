import type { Device } from '../../kernel/lib/call-context.ts'
import { parseAddress } from '../../kernel/lib/ip-addresses.ts'
import type { Generations, Use } from './generations.ts'
import type { Session } from './sessions.schemas.ts'
import type * as store from './sessions.store.ts'

export const columns = ({ current, seen }: Generations) => ({ generation: current, seen: JSON.stringify(seen) })

export const useOf = ({ ip, user_agent }: Pick<Device, 'ip' | 'user_agent'>, cookie: Use['cookie']): Use => ({
  cookie,
  network: parseAddress(ip ?? '')?.network ?? ip,
  userAgent: user_agent,
})

export const lastUseOf = ({ session_ip, session_user_agent, browser_cookie }: store.SessionState): Use =>
  useOf({ ip: session_ip, user_agent: session_user_agent }, browser_cookie ?? 'none')

/** Returns the properties that a device has sent; the others keep their stored value. */
export const withoutNulls = (device: Device): Partial<Device> =>
  Object.fromEntries(Object.entries(device).filter(([, value]) => value !== null))

export const toSession = (row: store.SessionRow, currentId: string | null): Session => ({
  id: row.id,
  current: row.id === currentId,
  device_id: row.device_id,
  app_type: row.app_type,
  app_version: row.app_version,
  user_agent: row.user_agent,
  ip: row.ip,
  created_at: row.created_at,
  last_used_at: row.last_used_at,
  expires_at: row.expires_at,
})
