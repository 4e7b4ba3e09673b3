/**
 * Returns a function that finds a value by its key, together with all other keys of the same turn of the event loop: a
 * key that is asked for twice is sent once. The search begins after the last of its keys was asked for, so it is as
 * fresh as a search of its own. A failed search rejects for its own keys only.
 * @param find returns the values of the keys that exist
 * @param maxKeys a search with this many keys begins at once
 */
export function gathered<K, V>(find: (keys: K[]) => Promise<Map<K, V>>, maxKeys: number) {
  type Search = Map<K, PromiseWithResolvers<V | undefined>>
  let next: Search | undefined

  /** `setImmediate` runs after all sockets of this turn have been read. */
  function open(): Search {
    const search: Search = new Map()
    setImmediate(send, search)
    next = search
    return search
  }

  function send(search: Search): void {
    if (search !== next) return // It was full and has been sent.
    next = undefined
    find([...search.keys()]).then(
      (found) => {
        for (const [key, { resolve }] of search) resolve(found.get(key))
      },
      (error) => {
        for (const { reject } of search.values()) reject(error)
      },
    )
  }

  return (key: K): Promise<V | undefined> => {
    const search = next ?? open()
    const known = search.get(key)
    if (known) return known.promise
    const answer = Promise.withResolvers<V | undefined>()
    search.set(key, answer)
    if (search.size === maxKeys) send(search)
    return answer.promise
  }
}
