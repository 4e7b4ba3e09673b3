import { Command } from 'commander'
import { type Config, readEnvironment } from '../settings/config.ts'
import { effectiveSettings } from '../settings/effective-settings.ts'

export const configCommand = (config: () => Config) =>
  new Command('config')
    .description('print the effective settings, with secrets masked')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const settings = effectiveSettings(readEnvironment(), config())
      const width = Math.max(...Object.keys(settings).map((name) => name.length))
      process.stdout.write(
        json
          ? `${JSON.stringify(settings, null, 2)}\n`
          : Object.entries(settings)
              .map(
                ([name, { value, from }]) => `${name.padEnd(width)}  ${value}${from === 'default' ? '' : '  (set)'}\n`,
              )
              .join(''),
      )
    })
