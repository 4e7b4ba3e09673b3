import { arch, availableParallelism, platform, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { FAULTS } from './list.ts'
import { Missing, runFault } from './support/fault.ts'

/** `npm run test:faults [-- NAME… --quick --json --markdown]`: injects faults and reports the results. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    markdown: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const unknown = positionals.filter((name) => !FAULTS.some((fault) => fault.name === name))
if (values.help || unknown.length) {
  process.stderr.write(
    `${unknown.length ? `Unknown fault: ${unknown.join(', ')}.\n` : ''}npm run test:faults -- [NAME…] [--quick] [--json] [--markdown]\n\n${FAULTS.map(({ name, title }) => `  ${name.padEnd(20)}${title}\n`).join('')}`,
  )
  process.exit(unknown.length ? 2 : 0)
}

const quick = values.quick ?? false
const chosen = FAULTS.filter(({ name, quick: isQuick }) =>
  positionals.length ? positionals.includes(name) : !quick || isQuick,
)
const results = []
for (const fault of chosen) {
  const began = performance.now()
  const outcome = await runFault(fault, quick).catch((error) => ({
    ok: error instanceof Missing ? null : false,
    figure: error instanceof Missing ? `SKIPPED: ${error.message}` : error.stack,
  }))
  const seconds = Math.round((performance.now() - began) / 100) / 10
  const { name, title, holds } = fault
  results.push({ name, title, holds, seconds, ...outcome })
  const line = `${outcome.ok === null ? '–' : outcome.ok ? '✔' : '✖'} ${name.padEnd(20)}${outcome.figure}  (${seconds} s)\n`
  if (!values.json && !values.markdown) process.stdout.write(line)
  else process.stderr.write(line)
}

const machine = `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()} ${arch()}, Node.js ${process.version}`
if (values.json) process.stdout.write(`${JSON.stringify({ machine, quick, results }, null, 2)}\n`)
if (values.markdown) {
  const rows = results.map(
    ({ name, title, holds, figure, ok }) =>
      `| \`${name}\` | ${title} | ${holds} | ${figure.split('\n')[0]} | ${ok === null ? '–' : ok ? 'yes' : '**no**'} |`,
  )
  process.stdout.write(
    [
      '| name | fault | expectation | result | met |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      '',
      `_${machine}_`,
      '',
    ].join('\n'),
  )
}
process.exitCode = results.some(({ ok }) => ok === false) ? 1 : 0
