/**
 * What a server is started with so that its clock is wrong by what a file says, in milliseconds, whenever it looks. The
 * monotonic clock goes on as it is, as on a machine whose clock is set.
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
