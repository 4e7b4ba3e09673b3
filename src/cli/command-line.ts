import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../settings/config.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '')
const ENTRY = resolve(ROOT, 'bin/bukhindor.js')

/**
 * How the command line is called where the service runs, so that it finds the same database: `COMMAND_LINE` where the
 * service is installed in a container or as a unit, else by how this process was started. Never by a name that npm would
 * look for in its registry.
 */
export function commandLine(config: Pick<Config, 'commandLine' | 'dataDir'>, folder = process.cwd()): string {
  if (config.commandLine) return config.commandLine.replaceAll('{hostname}', hostname())
  const data = config.dataDir === resolve(folder, 'data') ? '' : `DATA_DIR=${quote(config.dataDir)} `
  if (folder === ROOT) return `${data}npm run -s bukhindor --`
  return `env -C ${quote(folder)} ${data}${quote(process.execPath)} ${quote(ENTRY)}`
}

const quote = (text: string): string => (/^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
