/** Masks the password in a database URL, for logs; also in malformed URLs. */
export const masked = (url: string): string =>
  url.replace(/^(\w+:\/\/[^:@/?#]*:).*@/s, '$1***@').replace(/([?&]\w*password=)[^&]*/gi, '$1***')

export interface PostgresAddress {
  /** One URL per host: `postgres://u:p@h1,h2/db` gives two. */
  urls: string[]
  /**
   * `?pgbouncer=true`: behind PgBouncer before 1.21 or without `max_prepared_statements`. Statements then have no
   * names, and timeouts are not set when connecting.
   */
  pooled: boolean
}

/** Splits a URL with one or several hosts. Other options are left to the driver. */
export function parsePostgresUrl(url: string): PostgresAddress {
  const [, before = '', hosts = '', after = ''] = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/.exec(url) ?? []
  return {
    urls: hosts.split(',').map((host) => `${before}${host}${after}`),
    pooled: /[?&]pgbouncer=true(&|$)/.test(after),
  }
}
