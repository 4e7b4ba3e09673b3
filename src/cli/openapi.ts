import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'

import { createApp, migrate } from '../app.ts'
import { createLog } from '../kernel/log/log.ts'
import { loadConfig } from '../settings/config.ts'

/** Returns the OpenAPI document, generated from an application that never listens. */
export async function openApiDocument(): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-openapi-'))
  try {
    const config = loadConfig({ DATA_DIR: folder, LOG_LEVEL: 'silent' })
    await migrate(config)
    const { app } = await createApp(config, await createLog(config))
    const document = app.swagger() as unknown as Record<string, unknown>
    await app.close()
    return { ...document, servers: [{ url: '/' }] } // The public address is not known here.
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const openapiCommand = () =>
  new Command('openapi')
    .description('print the OpenAPI document')
    .option('--yaml', 'print YAML instead of JSON')
    .option('--json', 'print JSON (default)')
    .action(async ({ yaml }: { yaml?: boolean }) => {
      const document = await openApiDocument()
      const { stringify } = await import('yaml')
      process.stdout.write(yaml ? stringify(document) : `${JSON.stringify(document, null, 2)}\n`)
    })
