import { LEAST_ID } from './ids.ts'

/** Rows that are read page by page. */
export type Pages = AsyncIterable<readonly unknown[]>

/**
 * Yields the text of a JSON object in chunks, so that lists given as `Pages` are never in memory as a whole. After an
 * error, the chunks so far are not valid JSON.
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

/** Maximum number of rows in memory at once. */
const PAGE_ROWS = 200

/** Yields all rows of a keyset query, which returns up to `limit` rows after an id, page by page. */
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

/** Yields a list whose length is bounded as one page. */
export async function* onePage<R>(query: () => Promise<R[]>): AsyncGenerator<R[], void, void> {
  yield await query()
}
