/** What a request tells about the device that sends it; kept with the session so that a person recognises it. */
export interface Device {
  device_id: string | null
  app_type: string | null
  app_version: string | null
  user_agent: string | null
  ip: string | null
}

/** Where a call comes from, and on whose behalf: what the audit log records beside the event. */
export interface Origin {
  device: Device
  /** What limits by address count it for, and what the wider ones do: see `http/plugins/client.ts`. */
  network: string | null
  site: string | null
  requestId: string | null
  /**
   * Who asks: a user, by a session or by what else has proved who they are; nobody known yet; whoever runs the machine; or
   * the service itself.
   */
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

/** The same, done by a person who has proved who they are without a session: by a password, or by a link in an e-mail. */
export const doneBy = (origin: Origin, id: string, sessionId: string | null = null): Origin => ({
  ...origin,
  actor: { type: 'user', id, sessionId },
})
