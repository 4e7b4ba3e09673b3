import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { startPostgres } from '../test/support/postgres.ts'

/**
 * `npm test`: all tests, on both databases, with the coverage thresholds.
 * `npm test -- test/x.test.ts --test-name-pattern=…`: the given tests, each with its name, without coverage.
 * One PostgreSQL cluster serves the whole run: tests find it in `TEST_POSTGRES_URL` and create their own databases.
 */
const asked = process.argv.slice(2)
const everything = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**',
  '--test-coverage-lines=90',
  '--test-coverage-branches=90',
  'test/**/*.test.ts',
]
const named = asked.some((argument) => !argument.startsWith('-'))

// A given server wins, so that the tests can run on any version of PostgreSQL.
const postgres = process.env.TEST_POSTGRES_URL ? null : await startPostgres().catch(quit)
const url = process.env.TEST_POSTGRES_URL ?? postgres?.url
if (!url) process.stdout.write('PostgreSQL 15 or newer is not installed: the tests of that half are SKIPPED.\n\n')

const child = spawn(
  process.execPath,
  [
    '--test',
    // A test that hangs fails by its name. Far longer than any takes, as the machine may be busy.
    '--test-timeout=300000',
    `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
    `--test-reporter=${import.meta.resolve('./test-reporter.ts')}`,
    '--test-reporter-destination=stdout',
    ...(asked.length === 0 ? everything : named ? asked : [...asked, 'test/**/*.test.ts']),
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, ...(url && { TEST_POSTGRES_URL: url }), ...(asked.length > 0 && { TEST_NAMES: '1' }) },
  },
)
// An interrupted run still waits for its tests, so that each cleans up after itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const [code] = await once(child, 'exit')
await postgres?.stop('immediate')
process.exitCode = code ?? 1

function quit(error: Error): never {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
