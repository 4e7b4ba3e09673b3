/** A slot that was acquired, and whether the caller had to wait for it. */
export interface Slot {
  waited: boolean
  release(): void
}

/**
 * Creates a semaphore per key: `slots` callers run at a time, and up to `queueLimit` more wait, first come, first
 * served. `acquire` resolves to null at once if the queue is full.
 */
export function createSemaphore({ slots, queueLimit }: { slots: number; queueLimit: number }) {
  const states = new Map<string, { taken: number; queue: (() => void)[] }>()

  async function acquire(key: string): Promise<Slot | null> {
    const state = states.get(key) ?? { taken: 0, queue: [] }
    states.set(key, state)
    const release = () => {
      const next = state.queue.shift()
      if (next) return next() // The next caller takes over the slot.
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
