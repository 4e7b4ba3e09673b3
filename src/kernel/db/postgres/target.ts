import pg from 'pg'

/** After a search in vain the next one waits for so long; until then its error is given again, in milliseconds. */
const SEARCH_PAUSE_MS = 100

const ROLE = "select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only"

/**
 * The host to work with: the one that accepts writes, as `target_session_attrs=read-write` of libpq tells. It is looked
 * for at the start where there are several, and whenever the present one is in doubt: a connection fails, a server says
 * that it is a standby, or refuses a write. All are asked at once, so that one that hangs delays nobody.
 */
export function createTarget(urls: string[], wait: number, onChange: () => void) {
  const hasChoice = urls.length > 1
  let current = urls[0] as string
  let isInDoubt = hasChoice
  let searching: Promise<void> | undefined
  let failure: { error: Error; until: number } | undefined

  async function search(): Promise<void> {
    if (failure && performance.now() < failure.until) throw failure.error
    const candidates = urls.map((url) => probe(url).then(() => url))
    const found = await Promise.any(candidates).catch(({ errors }: AggregateError) => {
      const reasons = urls.map((url, index) => `${new URL(url).host}: ${errors[index].message || errors[index].code}`)
      // 57P03, cannot_connect_now: a standby may be on its way to become the primary.
      const error = Object.assign(new Error(`no host accepts writes (${reasons.join('; ')})`), { code: '57P03' })
      failure = { error, until: performance.now() + SEARCH_PAUSE_MS }
      throw error
    })
    failure = undefined
    isInDoubt = false
    if (found === current) return
    current = found
    onChange()
  }

  /**
   * Throws 57P03 where the server of a connection is not one to work with: a standby, whose rows may be old, or, where
   * there is another to choose, one that takes no writes. A lone primary that is read-only can still be read.
   */
  async function requirePrimary(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
    const { rows } = await client.query({ text: ROLE, query_timeout: wait } as pg.QueryConfig)
    const { standby, read_only } = rows[0]
    if (standby || (read_only && hasChoice))
      throw Object.assign(new Error(standby ? 'is a standby' : 'is read-only'), { code: '57P03' })
  }

  async function probe(url: string): Promise<void> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: wait })
    client.on('error', () => {}) // A connection that breaks between two steps; the next step tells.
    try {
      await client.connect()
      await requirePrimary(client)
    } finally {
      client.end().catch(() => {})
    }
  }

  return {
    hasChoice,
    requirePrimary,
    get url() {
      return current
    },
    get isInDoubt() {
      return isInDoubt
    },
    /** The next connection looks for the primary first. */
    doubt(): void {
      isInDoubt = true
    },
    /** Looks for the host that accepts writes. Throws an error that counts as `isUnavailable` when there is none. */
    find: (): Promise<void> =>
      (searching ??= search().finally(() => {
        searching = undefined
      })),
    /** Whether the present host still takes new connections as a primary; one that has none left does as well. */
    isThere: (): Promise<boolean> =>
      probe(current).then(
        () => true,
        ({ code }: { code?: string }) => code === TOO_MANY_CONNECTIONS,
      ),
  }
}

export type Target = ReturnType<typeof createTarget>

export const TOO_MANY_CONNECTIONS = '53300'
