/** Creates a mutex per key: work of one key runs sequentially, work of different keys concurrently. */
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
