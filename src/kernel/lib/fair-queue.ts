/** Whose turn a piece of work takes. */
export interface Turn {
  /** Work of one lane is done in order; lanes take turns. */
  lane?: string
  /** Every second place is for work with priority, as long as there is any. */
  priority?: boolean
}

/**
 * A bounded queue in which lanes take turns, so that a full lane makes nobody wait but itself. Work with priority waits in
 * a part of its own, and takes every second place. Where a part is full, the lane with the most work gives up its newest,
 * or the newcomer is refused when its own lane has as much.
 *
 * @param limit how many may wait in each part
 */
export function createFairQueue<T>(limit: number, refuse: (item: T) => void) {
  const parts = { priority: createLanes<T>(), ordinary: createLanes<T>() }
  let isPriorityNext = true

  return {
    get size() {
      return parts.priority.size + parts.ordinary.size
    },
    /** Calls `refuse`, at once, for what gets no place: the newcomer or one that had waited. */
    push(item: T, { lane = '', priority = false }: Turn): void {
      const part = priority ? parts.priority : parts.ordinary
      part.push(lane, item)
      if (part.size > limit) refuse(part.pop(part.longest(lane)))
    },
    /** What is next, left in its place. */
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

/** Lanes in the order of their turns: whoever has had one goes to the end. */
function createLanes<T>() {
  const lanes = new Map<string, T[]>()
  let size = 0
  return {
    get size() {
      return size
    },
    /** The lane with the most work: `unless` another has more, this one. */
    longest(unless: string): string {
      let [longest, most] = [unless, lanes.get(unless)?.length ?? 0]
      for (const [lane, { length }] of lanes) if (length > most) [longest, most] = [lane, length]
      return longest
    },
    push(lane: string, item: T): void {
      const waiting = lanes.get(lane)
      if (waiting) waiting.push(item)
      else lanes.set(lane, [item])
      size++
    },
    peek: (): T | undefined => lanes.values().next().value?.[0],
    shift(): T | undefined {
      const [lane, waiting] = lanes.entries().next().value ?? []
      if (lane === undefined || !waiting) return
      lanes.delete(lane)
      const item = waiting.shift()
      if (waiting.length > 0) lanes.set(lane, waiting)
      size--
      return item
    },
    /** Takes the newest of a lane. */
    pop(lane: string): T {
      const waiting = lanes.get(lane) as T[]
      const item = waiting.pop() as T
      if (waiting.length === 0) lanes.delete(lane)
      size--
      return item
    },
  }
}
