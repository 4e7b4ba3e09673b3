/** Calls `next` with a value, synchronously if it is not a promise: `await` would always defer to a microtask. */
export function thenMaybeSync<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
