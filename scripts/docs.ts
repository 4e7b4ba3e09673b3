import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { openApiDocument } from '../src/cli/openapi.ts'
import * as errorPages from '../src/errors.ts'
import { listErrors } from '../src/kernel/errors/app-error.ts'
import { showValue } from '../src/settings/effective-settings.ts'
import { SETTINGS } from '../src/settings/settings.ts'

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

Configure the service with environment variables. A \`.env\` file in the working folder is read too. Environment variables
take precedence over it, and an empty value counts as unset. If a value is invalid, the service does not start and prints
one message that lists every error. \`npm run -s bukhindor -- config\` prints the effective settings, with secrets masked.

A duration is a number followed by a unit: \`30s\`, \`15m\`, \`12h\`, \`30d\`.

${table(['variable', 'default', 'meaning'], rows)}
`
}

function errors(): string {
  const rows = listErrors(...Object.values(errorPages)).map(({ reason, status, action, about, text }) =>
    row(`<a id="${reason}"></a>\`${reason}\``, String(status), `\`${action}\``, about, `${text.en} · ${text.ru}`),
  )
  return `${NOTE}

# Errors

Every error of every endpoint has a JSON body of type \`application/problem+json\` (RFC 9457). Programs use \`reason\` and
\`action\`; \`error\` is the message for users, in the language of \`Accept-Language\`. The running service shows this list at
\`/docs/errors\`.

${table(
  ['action', 'what a client should do'],
  [
    row('`fix`', 'Change the request before sending it again. `fields` lists the invalid fields.'),
    row('`retry`', 'Send the same request again later, after `Retry-After` seconds if the response has it.'),
    row('`refresh`', 'Refresh the session once, then repeat the request with the new access token.'),
    row(
      '`reauthenticate`',
      'The session has ended: ask the user to sign in. Only in this case may a client discard its tokens.',
    ),
    row('`none`', 'Show the message. Repeating the request does not help.'),
  ],
)}

${table(['reason', 'status', 'action', 'when', 'shown to users'], rows)}
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
