/** Runs a delete query. Returns the number of deleted rows. */
export const countDeleted = async (query: {
  executeTakeFirst(): Promise<{ numDeletedRows: bigint } | undefined>
}): Promise<number> => Number((await query.executeTakeFirst())?.numDeletedRows ?? 0)
