import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../settings/config.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '')
const ENTRY = resolve(ROOT, 'bin/bukhindor.js')

/**
 * Returns a shell command that runs the command line on the same database: `COMMAND_LINE` if set, otherwise derived
 * from how this process was started. Never a bare name, which npm would look up in its registry.
 */
export function commandLine(config: Pick<Config, 'commandLine' | 'dataDir'>, folder = process.cwd()): string {
  if (config.commandLine) return config.commandLine.replaceAll('{hostname}', hostname())
  const data = config.dataDir === resolve(folder, 'data') ? '' : `DATA_DIR=${quote(config.dataDir)} `
  if (folder === ROOT) return `${data}npm run -s bukhindor --`
  return `env -C ${quote(folder)} ${data}${quote(process.execPath)} ${quote(ENTRY)}`
}

const quote = (text: string): string => (/^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
