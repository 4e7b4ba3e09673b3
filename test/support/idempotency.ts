import { randomUUID } from 'node:crypto'

/** The header of a request with a key that nobody has used. */
export const newKey = () => ({ 'idempotency-key': randomUUID() })

/** Whether an answer is the stored one of an earlier request. */
export const isReplayed = ({ headers }: { headers: Headers }): boolean => headers.get('idempotency-replayed') === 'true'
