import { LEAST_ID } from './ids.ts'

/** Rows that come page by page, as whoever takes them goes on. */
export type Pages = AsyncIterable<readonly unknown[]>

/**
 * The text of a JSON object, piece by piece: a list that is given in pages is never in memory as a whole. What takes the
 * pieces must treat an error as an end too soon: the text is no JSON then.
 */
export async function* jsonText(members: Record<string, unknown>): AsyncGenerator<string, void, void> {
  let before = '{'
  for (const [name, value] of Object.entries(members)) {
    yield `${before}${JSON.stringify(name)}:`
    before = ','
    if (isPages(value)) yield* listText(value)
    else yield JSON.stringify(value)
  }
  yield before === '{' ? '{}' : '}'
}

async function* listText(pages: Pages): AsyncGenerator<string, void, void> {
  let before = '['
  for await (const page of pages) {
    if (page.length === 0) continue
    yield before + JSON.stringify(page).slice(1, -1)
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}

const isPages = (value: unknown): value is Pages =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

/** So many rows of a list are in memory at once. */
const PAGE_ROWS = 200

/** All rows of a query that gives up to `limit` of them after an id, page by page. */
export async function* pagesOf<R extends { id: string }>(
  query: (after: string, limit: number) => Promise<R[]>,
): AsyncGenerator<R[], void, void> {
  for (let after = LEAST_ID; ; ) {
    const rows = await query(after, PAGE_ROWS)
    const last = rows.at(-1)
    if (last) yield rows
    if (!last || rows.length < PAGE_ROWS) return
    after = last.id
  }
}

/** A list that is short for sure: one page. */
export async function* onePage<R>(query: () => Promise<R[]>): AsyncGenerator<R[], void, void> {
  yield await query()
}
