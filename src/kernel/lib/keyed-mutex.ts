/** A mutex for each key: work of one key runs one after another, and that of different keys side by side. */
export function createKeyedMutex() {
  const last = new Map<string, Promise<unknown>>()

  function runExclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    const run = (last.get(key) ?? Promise.resolve()).then(work, work)
    last.set(key, run)
    const forget = () => {
      if (last.get(key) === run) last.delete(key)
    }
    run.then(forget, forget)
    return run
  }

  return { runExclusive }
}
