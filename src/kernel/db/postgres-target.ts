import pg from 'pg'

/**
 * Which of several hosts accepts writes, as `target_session_attrs=read-write` of libpq tells: asked at the start, and
 * again whenever a connection fails. All are asked at once, so that one that hangs delays nobody.
 */
export function createTarget(urls: string[], wait: number) {
  let current = urls[0] as string
  let searching: Promise<void> | undefined

  async function search(): Promise<void> {
    const candidates = urls.map(async (url) => {
      await requireWritable(url, wait)
      return url
    })
    current = await Promise.any(candidates).catch(({ errors }: AggregateError) => {
      const reasons = urls.map((url, index) => `${new URL(url).host}: ${errors[index].message || errors[index].code}`)
      // 57P03, cannot_connect_now: a standby may be on its way to become the primary.
      throw Object.assign(new Error(`no host accepts writes (${reasons.join('; ')})`), { code: '57P03' })
    })
  }

  return {
    get url() {
      return current
    },
    hasChoice: urls.length > 1,
    /** Looks for the host that accepts writes. Throws an error that counts as `isUnavailable` when there is none. */
    find: (): Promise<void> =>
      (searching ??= search().finally(() => {
        searching = undefined
      })),
  }
}

export type Target = ReturnType<typeof createTarget>

async function requireWritable(url: string, wait: number): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: wait, query_timeout: wait })
  client.on('error', () => {}) // A connection that breaks between two steps; the next step tells.
  try {
    await client.connect()
    const { rows } = await client.query('show transaction_read_only')
    if (rows[0].transaction_read_only === 'on') throw new Error('is read-only')
  } finally {
    client.end().catch(() => {})
  }
}
