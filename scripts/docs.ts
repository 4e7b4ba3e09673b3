import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { openApiDocument } from '../src/cli/openapi.ts'
import * as errorPages from '../src/errors.ts'
import { showValue } from '../src/kernel/config/effective-settings.ts'
import { SETTINGS } from '../src/kernel/config/settings.ts'
import { listErrors } from '../src/kernel/errors/app-error.ts'

/**
 * `npm run docs`: writes the pages of `docs/` that are made from the code.
 * `--check`: writes nothing, names what is out of date and fails.
 */
const PAGES: Record<string, () => string | Promise<string>> = {
  'configuration.md': configuration,
  'errors.md': errors,
  'openapi.json': async () => `${JSON.stringify(await openApiDocument(), null, 2)}\n`,
}
const FOLDER = new URL('../docs/', import.meta.url)
const NOTE = '<!-- Made from the code by `npm run docs`: change it there. -->'

function configuration(): string {
  const rows = Object.entries(SETTINGS).map(([name, setting]) => {
    const fallback =
      'shown' in setting && setting.shown !== undefined ? setting.shown : `\`${showValue(setting.fallback)}\``
    return row(`\`${name}\``, fallback.replace(/\{\w+\}\S*|^\.\/\S+|\w+:\S+/g, '`$&`'), capitalised(setting.about))
  })
  return `${NOTE}

# Configuration

The service is configured by environment variables. A file \`.env\` in the working folder is read too; the environment
wins over it, and an empty value counts as an absent one. A bad value stops the start with one message that lists every
fault. \`npm run -s bukhindor -- config\` prints what is in force, secrets masked.

Durations are a number and a unit: \`30s\`, \`15m\`, \`12h\`, \`30d\`.

${table(['variable', 'default', 'meaning'], rows)}
`
}

function errors(): string {
  const rows = listErrors(...Object.values(errorPages)).map(({ reason, status, action, about, text }) =>
    row(`<a id="${reason}"></a>\`${reason}\``, String(status), `\`${action}\``, about, `${text.en} · ${text.ru}`),
  )
  return `${NOTE}

# Errors

Every error of every endpoint is one JSON body, \`application/problem+json\` (RFC 9457). A program decides by \`reason\` and
\`action\`; \`error\` is the sentence for people, in the language of \`Accept-Language\`. The running service has this list at
\`/docs/errors\`.

${table(
  ['action', 'what a client does'],
  [
    row('`fix`', 'Changes the request before sending it again: `fields` says what is wrong with the input.'),
    row('`retry`', 'Sends the same request later, after `Retry-After` seconds where the answer has it.'),
    row('`refresh`', 'Refreshes once and repeats the call with the new access token.'),
    row('`reauthenticate`', 'Asks the person to sign in: the session is over. Only then may it drop its tokens.'),
    row('`none`', 'Shows the sentence. Nothing that it could send would help.'),
  ],
)}

${table(['reason', 'status', 'action', 'when', 'shown to people'], rows)}
`
}

const row = (...cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
const table = (head: string[], rows: string[]): string =>
  [row(...head), row(...head.map(() => '---')), ...rows].join('\n')
const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const check = process.argv.includes('--check')
await mkdir(FOLDER, { recursive: true })
for (const [name, make] of Object.entries(PAGES)) {
  const file = new URL(name, FOLDER)
  const [made, kept] = [await make(), await readFile(file, 'utf8').catch(() => null)]
  if (made === kept) continue
  if (check) {
    process.stderr.write(`docs/${name} is out of date: run "npm run docs" and commit it\n`)
    process.exitCode = 1
  } else {
    await writeFile(file, made)
    process.stdout.write(`wrote docs/${name}\n`)
  }
}
