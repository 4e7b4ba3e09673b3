import { Command } from 'commander'
import { type Config, effectiveSettings, readEnvironment } from '../kernel/config.ts'

export const configCommand = (config: () => Config) =>
  new Command('config')
    .description('print the settings in force, secrets masked')
    .option('--json', 'as JSON')
    .action(({ json }: { json?: boolean }) => {
      config() // faults are told before anything is printed
      const settings = effectiveSettings(readEnvironment())
      const width = Math.max(...Object.keys(settings).map((name) => name.length))
      process.stdout.write(
        json
          ? `${JSON.stringify(settings, null, 2)}\n`
          : Object.entries(settings)
              .map(
                ([name, { value, from }]) =>
                  `${name.padEnd(width)}  ${value ?? '(none)'}${from === 'default' ? '' : '  # set'}\n`,
              )
              .join(''),
      )
    })
