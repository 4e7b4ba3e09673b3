/**
 * Makes `src/kernel/common-passwords.txt`, the list of refused passwords, from @zxcvbn-ts/language-common (MIT).
 *
 * Run it by `node scripts/common-passwords.ts` to take over a newer release: raise VERSION first.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = '@zxcvbn-ts/language-common'
const VERSION = '4.1.3'
/** Shorter ones are refused for their length already (NIST SP 800-63B-4, 3.1.1.2). */
const MIN_LENGTH = 8

const folder = mkdtempSync(join(tmpdir(), 'common-passwords-'))
try {
  const pack = ['pack', `${PACKAGE}@${VERSION}`, '--json', '--ignore-scripts', '--pack-destination', folder]
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { encoding: 'utf8' })) as [{ filename: string }]
  execFileSync('tar', ['-xzf', filename, '--strip-components=1'], { cwd: folder })

  const ranked = JSON.parse(readFileSync(join(folder, 'src/passwords.json'), 'utf8')) as string[]
  const folded = ranked.map((password) => password.normalize('NFC').toLowerCase())
  const entries = [...new Set(folded)].filter((password) => [...password].length >= MIN_LENGTH).sort()

  const notice = [
    `${entries.length} common passwords of ${MIN_LENGTH} or more characters, lower-cased and sorted.`,
    `Made by scripts/common-passwords.ts from ${PACKAGE} ${VERSION}, under this licence:`,
    '',
    ...readFileSync(join(folder, 'LICENSE.txt'), 'utf8').trim().split('\n'),
  ].map((line) => `# ${line}`.trimEnd())
  writeFileSync(
    new URL('../src/kernel/common-passwords.txt', import.meta.url),
    `${notice.join('\n')}\n\n${entries.join('\n')}\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
