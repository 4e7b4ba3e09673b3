/** Where an item is queued. */
export interface QueueOptions {
  /** Items of one key are taken in order; keys alternate. */
  key?: string
  /** Every second item taken has priority, as long as there are any. */
  priority?: boolean
}

/**
 * Creates a bounded round-robin queue over keys, in two parts: with priority and without. When a part is full, the key
 * with the most items loses its newest; the new item is refused if its own key has as many.
 * @param limit returns the maximum number of items in each part
 */
export function createFairQueue<T>(limit: () => number, refuse: (item: T) => void) {
  const parts = { priority: createQueues<T>(), ordinary: createQueues<T>() }
  let isPriorityNext = true

  return {
    get size() {
      return parts.priority.size + parts.ordinary.size
    },
    /** Adds an item. Calls `refuse` synchronously for the item that does not fit: this one or an earlier one. */
    push(item: T, { key = '', priority = false }: QueueOptions): void {
      const part = priority ? parts.priority : parts.ordinary
      part.push(key, item)
      if (part.size > limit()) refuse(part.pop(part.longest(key)))
    },
    /** Returns whether `push` would refuse an item without priority at once. */
    wouldRefuse: (key: string): boolean => parts.ordinary.size >= limit() && !parts.ordinary.hasLonger(key),
    /** Returns the next item without removing it. */
    peek: (): T | undefined => next()?.peek(),
    shift(): T | undefined {
      const part = next()
      isPriorityNext = part !== parts.priority
      return part?.shift()
    },
  }

  function next() {
    const { priority, ordinary } = parts
    if (priority.size > 0 && (isPriorityNext || ordinary.size === 0)) return priority
    return ordinary.size > 0 ? ordinary : undefined
  }
}

/** A queue per key, in round-robin order: a key moves to the end after each of its items. */
function createQueues<T>() {
  const queues = new Map<string, T[]>()
  let size = 0
  /** How many keys have so many items, and the most that one has: a flood must not cause a search through all keys. */
  const counts: number[] = []
  let most = 0
  let longestKey = ''

  function resized(from: number, to: number): void {
    size += to - from
    counts[from] = (counts[from] ?? 0) - 1
    counts[to] = (counts[to] ?? 0) + 1
    most = Math.max(most, to)
    while (most > 0 && !counts[most]) most--
  }

  const lengthOf = (key: string): number => queues.get(key)?.length ?? 0

  return {
    get size() {
      return size
    },
    /** Returns the key with the most items: `unless` if no other key has more. */
    longest(unless: string): string {
      if (lengthOf(unless) === most) return unless
      if (lengthOf(longestKey) !== most) for (const [key, { length }] of queues) if (length === most) longestKey = key
      return longestKey
    },
    /** Returns whether another key would still have more items if this one had one more. */
    hasLonger: (key: string): boolean => most > lengthOf(key) + 1,
    push(key: string, item: T): void {
      const waiting = queues.get(key)
      if (waiting) waiting.push(item)
      else queues.set(key, [item])
      const length = lengthOf(key)
      resized(length - 1, length)
    },
    peek: (): T | undefined => queues.values().next().value?.[0],
    shift(): T | undefined {
      const [key, waiting] = queues.entries().next().value ?? []
      if (key === undefined || !waiting) return
      queues.delete(key)
      const item = waiting.shift()
      if (waiting.length > 0) queues.set(key, waiting)
      resized(waiting.length + 1, waiting.length)
      return item
    },
    /** Removes and returns the newest item of a key. */
    pop(key: string): T {
      const waiting = queues.get(key) as T[]
      const item = waiting.pop() as T
      if (waiting.length === 0) queues.delete(key)
      resized(waiting.length + 1, waiting.length)
      return item
    },
  }
}
