import pg from 'pg'

/** How long the error of a failed search is returned again before the next search, in milliseconds. */
const SEARCH_PAUSE_MS = 100

const ROLE = "select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only"

/**
 * Tracks the host that accepts writes, like `target_session_attrs=read-write` of libpq. With several hosts it is
 * searched at startup; after a failed connection or a refused write it is searched again, on all hosts in parallel.
 * @see docs/decisions/0018-finding-the-primary.md
 */
export function createTarget(urls: string[], timeoutMs: number, onChange: () => void) {
  const hasChoice = urls.length > 1
  let current = urls[0] as string
  let isUncertain = hasChoice
  let searching: Promise<void> | undefined
  let lastFailure: { error: Error; until: number } | undefined

  async function search(): Promise<void> {
    if (lastFailure && performance.now() < lastFailure.until) throw lastFailure.error
    const candidates = urls.map((url) => probe(url).then(() => url))
    const found = await Promise.any(candidates).catch(({ errors }: AggregateError) => {
      const reasons = urls.map((url, index) => `${new URL(url).host}: ${errors[index].message || errors[index].code}`)
      // 57P03, cannot_connect_now: a standby may be about to become the primary.
      const error = Object.assign(new Error(`no host accepts writes (${reasons.join('; ')})`), { code: '57P03' })
      lastFailure = { error, until: performance.now() + SEARCH_PAUSE_MS }
      throw error
    })
    lastFailure = undefined
    isUncertain = false
    if (found === current) return
    current = found
    onChange()
  }

  /**
   * Throws an error with code 57P03 if the server is a standby, whose rows may be outdated, or, with several hosts, is
   * read-only. A single read-only primary is still used for reads.
   */
  async function requirePrimary(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
    const { rows } = await client.query({ text: ROLE, query_timeout: timeoutMs } as pg.QueryConfig)
    const { standby, read_only } = rows[0]
    if (standby || (read_only && hasChoice))
      throw Object.assign(new Error(standby ? 'is a standby' : 'is read-only'), { code: '57P03' })
  }

  async function probe(url: string): Promise<void> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs })
    client.on('error', () => {}) // If the connection breaks between two steps, the next step rejects.
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
    get isUncertain() {
      return isUncertain
    },
    /** Makes the next query search for the primary first. */
    markUncertain(): void {
      isUncertain = true
    },
    /** Searches the host that accepts writes. Throws an error that is `isUnavailable` if there is none. */
    find: (): Promise<void> =>
      (searching ??= search().finally(() => {
        searching = undefined
      })),
    /** Whether the current host is a primary that accepts connections or has only reached its connection limit. */
    isReachable: (): Promise<boolean> =>
      probe(current).then(
        () => true,
        ({ code }: { code?: string }) => code === TOO_MANY_CONNECTIONS,
      ),
  }
}

export type Target = ReturnType<typeof createTarget>

export const TOO_MANY_CONNECTIONS = '53300'
