import { randomUUID } from 'node:crypto'

/** The header with an unused idempotency key. */
export const newKey = () => ({ 'idempotency-key': randomUUID() })

/** Whether an answer is the stored answer of an earlier request. */
export const isReplayed = ({ headers }: { headers: Headers }): boolean => headers.get('idempotency-replayed') === 'true'
