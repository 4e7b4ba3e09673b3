import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createBench } from './lib/bench.ts'
import { chart } from './lib/chart.ts'
import { describeMachine } from './lib/machine.ts'
import { head, type Report, table } from './lib/report.ts'
import type { Scenario } from './lib/results.ts'
import { list } from './scenarios/list.ts'
import { login, register } from './scenarios/login.ts'
import { me } from './scenarios/me.ts'
import { peers } from './scenarios/peers.ts'
import { refresh } from './scenarios/refresh.ts'
import { soak } from './scenarios/soak.ts'
import { start } from './scenarios/start.ts'
import { storm } from './scenarios/storm.ts'
import { workers } from './scenarios/workers.ts'

const scenarios: Scenario[] = [start, me, login, register, refresh, list, storm, workers, peers, soak]

const full = { quick: false, rounds: 5, seconds: 8, warmup: 3, users: 1_000_000, soak: 2_000_000 }
const short = { ...full, rounds: 3, seconds: 4, warmup: 2 }
const quick = { quick: true, rounds: 3, seconds: 2, warmup: 1, users: 50_000, soak: 50_000 }

const usage = `npm run bench -- [name…] [--short | --quick] [--json FILE] [--profile FOLDER]

${scenarios.map(({ name, about }) => `  ${name.padEnd(10)}${about}`).join('\n')}

  --short      three rounds of ${short.seconds} seconds instead of ${full.rounds} of ${full.seconds}: a third of the time, more noise
  --quick      shorter rounds and ${quick.users.toLocaleString('en')} users: to try it out, not to quote
  --json FILE  where the figures go; a chart (SVG) is put beside it
  --profile FOLDER
               a CPU profile of each server goes there (figures suffer a little)
`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean' },
      short: { type: 'boolean' },
      json: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name))
  if (values.help || unknown.length) {
    process.stdout.write(unknown.length ? `There is no ${unknown.join(', ')}.\n${usage}` : usage)
    process.exitCode = unknown.length ? 2 : 0
    return
  }
  const chosen = scenarios.filter(({ name }) => !positionals.length || positionals.includes(name))
  installPeer()

  const bench = await createBench({
    ...(values.quick ? quick : values.short ? short : full),
    profile: values.profile && resolve(values.profile),
  })
  const failures: string[] = []
  let interrupted = false
  const interrupt = () => {
    interrupted = true
    void bench.close().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const machine = describeMachine(bench.cores, bench.engines.includes('postgres'))
  const report: Report = { at: new Date().toISOString(), quick: values.quick ?? false, machine, groups: [] }
  try {
    process.stdout.write(`${head(machine)}\n`)
    if (!bench.engines.includes('postgres'))
      process.stdout.write('PostgreSQL is not installed: its half is left out.\n')
    for (const scenario of chosen) {
      try {
        for (const group of await scenario.run(bench)) {
          report.groups.push({ scenario: scenario.name, ...group })
          process.stdout.write(`${table({ scenario: scenario.name, ...group })}\n`)
        }
      } catch (error) {
        if (interrupted) return
        // One scenario that cannot run does not cost the figures of the others.
        failures.push(scenario.name)
        process.stderr.write(`\n${scenario.name} could not be measured: ${(error as Error).stack}\n`)
      }
      await bench.stopServers()
    }
  } finally {
    await bench.close()
  }
  if (failures.length) process.exitCode = 1
  await save(report, values.json, chosen.length === scenarios.length && !values.quick && !failures.length)
}

/** Only a whole and unhurried run replaces the figures that the documentation shows. */
async function save(report: Report, file: string | undefined, whole: boolean): Promise<void> {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const json = resolve(file ?? here(whole ? 'results/latest.json' : 'results/partial.json'))
  const svg = whole && !file ? here('../docs/performance.svg') : json.replace(/(\.json)?$/, '.svg')
  await mkdir(dirname(json), { recursive: true })
  await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`)
  await writeFile(svg, chart(report))
  process.stdout.write(`\n${json}\n${svg}\n`)
}

/** The peer has a lock file of its own, so that nobody who only wants the service has to fetch it. */
function installPeer(): void {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  if (existsSync(new URL('node_modules/better-auth', import.meta.url))) return
  process.stdout.write('Installing better-auth, to measure beside it …\n')
  // With the whole environment: npm may need a proxy or certificates from it.
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--omit=peer', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.stdout.write('better-auth could not be installed: its rows are left out.\n')
}

await main()
