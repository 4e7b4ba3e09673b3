/** A database address without its password, fit for logs; one that is malformed shows no more. */
export const masked = (url: string): string =>
  url.replace(/^(\w+:\/\/[^:@/?#]*:).*@/s, '$1***@').replace(/([?&]\w*password=)[^&]*/gi, '$1***')

export interface PostgresAddress {
  /** The same database on each of the hosts: `postgres://u:p@h1,h2/db` is two addresses. */
  urls: string[]
  /**
   * `?pgbouncer=true`: a pooler before version 1.21, or one that is not told to follow prepared statements
   * (`max_prepared_statements`), stands between. Statements have no names then, and no setting is made on connecting.
   */
  pooled: boolean
}

/** Takes an address with one or several hosts apart; all else in it is for the driver. */
export function parsePostgresUrl(url: string): PostgresAddress {
  const [, before = '', hosts = '', after = ''] = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/.exec(url) ?? []
  return {
    urls: hosts.split(',').map((host) => `${before}${host}${after}`),
    pooled: /[?&]pgbouncer=true(&|$)/.test(after),
  }
}
