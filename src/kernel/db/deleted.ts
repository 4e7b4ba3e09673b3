/** Runs a query that deletes. Returns how many rows there were. */
export const countDeleted = async (query: {
  executeTakeFirst(): Promise<{ numDeletedRows: bigint } | undefined>
}): Promise<number> => Number((await query.executeTakeFirst())?.numDeletedRows ?? 0)
