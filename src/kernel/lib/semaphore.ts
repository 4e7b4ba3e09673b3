/** What `acquire` gives: whether there was a wait, and how to give the slot back. */
export interface Slot {
  waited: boolean
  release(): void
}

/**
 * A semaphore for each key: `slots` callers hold one at a time, and up to `queueLimit` more wait for one, first come, first
 * served. `acquire` resolves to null at once where the queue is full.
 */
export function createSemaphore({ slots, queueLimit }: { slots: number; queueLimit: number }) {
  const states = new Map<string, { taken: number; queue: (() => void)[] }>()

  async function acquire(key: string): Promise<Slot | null> {
    const state = states.get(key) ?? { taken: 0, queue: [] }
    states.set(key, state)
    const release = () => {
      const next = state.queue.shift()
      if (next) return next() // The slot is handed on.
      state.taken--
      if (state.taken === 0) states.delete(key)
    }
    if (state.taken < slots) {
      state.taken++
      return { waited: false, release }
    }
    if (state.queue.length >= queueLimit) return null
    await new Promise<void>((resolve) => state.queue.push(resolve))
    return { waited: true, release }
  }

  return { acquire }
}
