import type { Machine } from './machine.ts'
import type { Group, Row } from './results.ts'

export interface Report {
  at: string
  quick: boolean
  machine: Machine
  groups: Group[]
}

const numbers = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/** Three significant digits, and whole thousands as they are: 0.512, 48.3, 12,480. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : numbers.format(value)
}

const percent = (share: number): string => `${Math.round(share * 100)} %`
const optional = (value: number | undefined): string => (value === undefined ? '' : show(value))

const columns: [heading: string, of: (row: Row) => string][] = [
  ['', ({ name }) => name],
  ['median', ({ value }) => show(value)],
  ['ratio', ({ ratio, invalid }) => (invalid ? 'invalid' : show(ratio))],
  ['spread', ({ spread, rounds }) => (rounds.length > 1 ? percent(spread) : '')],
  ['p50 ms', ({ p50 }) => optional(p50)],
  ['p95 ms', ({ p95 }) => optional(p95)],
  ['p99 ms', ({ p99 }) => optional(p99)],
  ['errors', ({ errors }) => (errors ? show(errors) : '')],
]

/** One group as a table in plain text; columns that nobody fills are left out. */
export function table({ title, unit, aim, rows }: Group): string {
  const used = columns
    .map(([heading, of]) => [heading === 'median' ? unit : heading, ...rows.map(of)])
    .filter(([, ...cells]) => cells.some(Boolean))
  const widths = used.map((cells) => Math.max(...cells.map((cell) => cell.length)))
  const line = (row: number) =>
    used
      .map((cells, column) => {
        const width = widths[column] ?? 0
        const cell = cells[row] ?? ''
        return column ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  const lines = Array.from({ length: rows.length + 1 }, (_, row) => `  ${line(row)}`)
  const invalid = rows
    .filter((row) => row.invalid)
    .map(
      ({ name, errors = 0, requests = 1 }) =>
        `  INVALID: ${percent(errors / requests)} of the answers to ${name} were errors`,
    )
  return [`\n${title}`, ...(aim ? [`  aim: ${aim}`] : []), ...lines, ...invalid].join('\n')
}

/** The head of the output: what the figures were made on and with. */
export function head({ cpu, cores, pinned, memory_gib, system, commit, versions }: Machine): string {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${cpu}, ${cores} cores (${pinned}), ${memory_gib} GiB, ${system}\ncommit ${commit}: ${list.join(', ')}`
}
