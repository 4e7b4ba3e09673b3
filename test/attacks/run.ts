import { parseArgs } from 'node:util'
import { startPostgres } from '../support/postgres.ts'
import { runCorpora } from './corpus.ts'
import { fuzz } from './fuzz.ts'
import { ATTACKS } from './list.ts'
import { type Engine, startTarget } from './target.ts'

/** `npm run test:attacks [-- NAME… --quick --engine sqlite --corpus DIR --requests N --seed N]`: see README.md. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean' },
    engine: { type: 'string' },
    corpus: { type: 'string' },
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '7' },
    help: { type: 'boolean' },
  },
})
const NAMES = [...ATTACKS.map(({ name }) => name), 'corpora', 'fuzz']
const unknown = positionals.filter((name) => !NAMES.includes(name))
const engines = (['sqlite', 'postgres'] as const).filter((engine) => !values.engine || values.engine === engine)
if (values.help || unknown.length || engines.length === 0) {
  const lines = ATTACKS.map(({ name, title }) => `  ${name.padEnd(30)}${title}\n`)
  process.stderr.write(
    `${unknown.length ? `Unknown attack: ${unknown.join(', ')}.\n` : ''}npm run test:attacks -- [NAME…] [--quick] [--engine sqlite|postgres] [--corpus DIR] [--requests N] [--seed N]\n\n${lines.join('')}  corpora\n  fuzz\n`,
  )
  process.exit(values.help ? 0 : 2)
}

const isChosen = (name: string, quick = true) =>
  positionals.length ? positionals.includes(name) : !values.quick || quick
const postgres = engines.includes('postgres') && !process.env.TEST_POSTGRES_URL ? await startPostgres() : null
if (postgres) process.env.TEST_POSTGRES_URL = postgres.url
let failed = 0

async function report(name: string, engine: Engine, work: () => Promise<unknown>): Promise<void> {
  const began = performance.now()
  const [ok, said] = await work().then(
    (figure) => [true, typeof figure === 'string' ? figure : ''] as const,
    (error: Error) => [false, error.message.split('\n').slice(0, 12).join('\n    ')] as const,
  )
  if (!ok) failed++
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  process.stdout.write(`${ok ? '✔' : '✖'} ${engine.padEnd(9)}${name}  (${seconds} s)${said ? `\n    ${said}` : ''}\n`)
}

for (const engine of engines) {
  if (engine === 'postgres' && !process.env.TEST_POSTGRES_URL) {
    process.stdout.write('– postgres  SKIPPED: PostgreSQL is not installed\n')
    continue
  }
  // Each on its own server, so that no attack depends on what another has left.
  for (const { name, title, env, run } of ATTACKS.filter(
    (attack) => isChosen(attack.name, attack.quick) && (attack.engine ?? engine) === engine,
  ))
    await report(`${name}: ${title}`, engine, async () => {
      const target = await startTarget(engine, env)
      await run(target).finally(() => target.stop())
    })
  if (isChosen('corpora')) await report('corpora', engine, () => runCorpora(engine, values.corpus))
  if (isChosen('fuzz')) {
    const requests = values.quick ? 2000 : Number(values.requests)
    await report('fuzz', engine, () => fuzz(engine, { requests, seed: Number(values.seed) }))
  }
}
await postgres?.stop('immediate')
process.exitCode = failed ? 1 : 0
