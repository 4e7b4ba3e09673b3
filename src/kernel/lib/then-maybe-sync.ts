/** Goes on with a value, at once where it is there already: waiting for what is at hand costs a turn of the event loop. */
export function thenMaybeSync<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
