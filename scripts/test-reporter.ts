import { relative } from 'node:path'
import { Readable } from 'node:stream'
import type { EventData } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'

/**
 * Prints a line per test file, or per test when `TEST_NAMES` is set. Then all failures, the coverage, with the files below
 * the thresholds only where the run misses one of them, and the counts in the last line.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const ending: string[] = []
  for await (const text of Readable.from(select(events, ending)).pipe(new spec())) yield String(text)
  yield `\n${ending.join('\n')}\n`
}

/** Yields the events that the spec reporter prints, and collects the lines for the end. */
async function* select(events: AsyncIterable<TestEvent>, ending: string[]): AsyncGenerator<TestEvent> {
  const eachTest = Boolean(process.env.TEST_NAMES)
  for await (const event of events) {
    const { type, data } = event
    if (type === 'test:coverage') ending.push(...coverageLines(data))
    else if (type === 'test:summary') {
      if (data.file === undefined) ending.push(countLine(data))
      else if (!eachTest) yield { type: 'test:stdout', data: { file: data.file, message: fileLine(data, data.file) } }
    } else if (type === 'test:diagnostic' && data.nesting === 0 && data.file === undefined) {
      if (data.level === 'error') ending.push(data.message)
    } else if (eachTest || (type !== 'test:pass' && type !== 'test:start')) yield event
  }
}

function fileLine({ success, counts, duration_ms }: EventData.TestSummary, file: string): string {
  const skipped = counts.skipped ? `, ${counts.skipped} skipped` : ''
  const seconds = (duration_ms / 1000).toFixed(1)
  return `${success ? '✔' : '✖'} ${relative('test', file)}: ${counts.passed} of ${counts.tests}${skipped} (${seconds} s)\n`
}

function coverageLines({ summary: { files, totals, thresholds } }: EventData.TestCoverage): string[] {
  const percent = (value: number) => `${value.toFixed(1)} %`
  const shares = (of: typeof totals) =>
    `${percent(of.coveredLinePercent)} of lines, ${percent(of.coveredBranchPercent)} of branches`
  const isBelow = (covered: typeof totals) =>
    covered.coveredLinePercent < thresholds.line || covered.coveredBranchPercent < thresholds.branch
  const below = isBelow(totals) ? files.filter(isBelow) : []
  return [
    ...below.map((file) => `  ${relative('.', file.path)}: ${shares(file)}${uncovered(file.lines)}`),
    `Coverage: ${shares(totals)} (required in total: ${thresholds.line} % and ${thresholds.branch} %)`,
  ]
}

function uncovered(lines: { line: number; count: number }[]): string {
  const missed = lines.filter(({ count }) => count === 0).map(({ line }) => line)
  return missed.length ? `; not run: ${missed.join(' ')}` : ''
}

function countLine({ counts: { tests, passed, skipped, todo } }: EventData.TestSummary): string {
  const left = skipped + todo
  return `${passed} passed, ${tests - passed - left} failed${left ? `, ${left} skipped` : ''}`
}
