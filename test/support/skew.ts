/**
 * The settings of a server whose clock is wrong by the number of milliseconds in a file, which is read each time. The
 * monotonic clock is not affected, as on a machine whose clock is set.
 */
export function wrongClock(file: string): Record<string, string> {
  const script = `import { readFileSync } from 'node:fs'
    const real = Date
    const now = () => real.now() + Number(readFileSync(${JSON.stringify(file)}, 'utf8'))
    globalThis.Date = class Date extends real {
      constructor(...given) { given.length ? super(...given) : super(now()) }
      static now = now
    }`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` }
}
