/**
 * Lets `inside` callers in at once for each key; up to `waiting` more stand in line. `enter` gives a function that leaves,
 * and says whether there was a wait; it gives null at once where the line is full.
 */
export function createGate({ inside, waiting }: { inside: number; waiting: number }) {
  const places = new Map<string, { taken: number; line: (() => void)[] }>()

  async function enter(key: string): Promise<{ waited: boolean; leave(): void } | null> {
    const place = places.get(key) ?? { taken: 0, line: [] }
    places.set(key, place)
    const leave = () => {
      const next = place.line.shift()
      if (next) return next() // who leaves hands the place on
      place.taken--
      if (place.taken === 0) places.delete(key)
    }
    if (place.taken < inside) {
      place.taken++
      return { waited: false, leave }
    }
    if (place.line.length >= waiting) return null
    await new Promise<void>((resolve) => place.line.push(resolve))
    return { waited: true, leave }
  }

  return { enter }
}
