/** What a request says about its device; stored with the session so that users recognise their devices. */
export interface Device {
  device_id: string | null
  app_type: string | null
  app_version: string | null
  user_agent: string | null
  ip: string | null
}

/** Where a call comes from and on whose behalf; recorded with audit events. */
export interface Origin {
  device: Device
  /** What rate limits by address count by, as in `Client` of `http/plugins/client.ts`. */
  network: string | null
  site: string | null
  requestId: string | null
  /** A user, an anonymous client, the operator on the command line, or a job of the service. */
  actor: { type: 'user'; id: string; sessionId: string | null } | { type: 'anonymous' | 'operator' | 'system' }
}

const NOWHERE = {
  device: { device_id: null, app_type: null, app_version: null, user_agent: null, ip: null },
  network: null,
  site: null,
}

/** The command line. */
export const OPERATOR: Origin = { ...NOWHERE, requestId: null, actor: { type: 'operator' } }
/** A job of the service. */
export const SYSTEM: Origin = { ...NOWHERE, requestId: null, actor: { type: 'system' } }

/** Returns the origin with a user as the actor, who was authenticated by a password or by a link in an e-mail. */
export const doneBy = (origin: Origin, id: string, sessionId: string | null = null): Origin => ({
  ...origin,
  actor: { type: 'user', id, sessionId },
})
