import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(import.meta.resolve('../../'))
const RUNS_ANYTHING = /\b(?:npx|npm exec|bunx|pnpx|pnpm dlx|yarn dlx)\s+(?:-\S+\s+)*bukhindor\b/

describe('Documented commands', () => {
  test('never run a package of that name from a registry', async () => {
    const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    const told: string[] = []
    for (const file of files.split('\n').filter((file) => file && !/^(CHANGELOG|test\/)/.test(file)))
      if (existsSync(join(ROOT, file)) && RUNS_ANYTHING.test(await readFile(join(ROOT, file), 'utf8'))) told.push(file)
    assert.deepEqual(told, [])
  })

  test('work through npm run, from any folder, without npm output', () => {
    const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}` }
    const run = (cwd: string, args: string[]) => spawnSync('npm', args, { cwd, encoding: 'utf8', env })
    const here = run(ROOT, ['run', '-s', 'bukhindor', '--', '--version'])
    assert.deepEqual([here.status, here.stderr], [0, ''])
    assert.match(here.stdout, /^\d+\.\d+\.\d+\n$/)
    const wrong = run(ROOT, ['run', '-s', 'bukhindor', '--', 'nonsense'])
    assert.equal(wrong.status, 2)
    const away = run('/', ['--prefix', ROOT, 'run', '-s', 'bukhindor', '--', '--version'])
    assert.equal(away.stdout, here.stdout)
  })

  test('are configured in every deployment file', async () => {
    for (const [file, command] of [
      ['deploy/Dockerfile', /^ENV COMMAND_LINE="docker exec -i \{hostname\} node bin\/bukhindor\.js"$/m],
      [
        'deploy/kubernetes/configuration.env',
        /^COMMAND_LINE=kubectl exec -i \{hostname\} -- node bin\/bukhindor\.js$/m,
      ],
      ['deploy/bukhindor.service', /^Environment="COMMAND_LINE=systemd-run .* \/opt\/bukhindor\/bin\/bukhindor\.js"$/m],
    ] as const)
      assert.match(await readFile(join(ROOT, file), 'utf8'), command)
  })
})
