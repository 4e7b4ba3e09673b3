import { text } from 'node:stream/consumers'
import { Argument, Command, Option } from 'commander'
import { migrate } from '../app.ts'
import { createLog } from '../kernel/log/log.ts'
import type { User } from '../modules/users/users.schemas.ts'
import { createServices } from '../services.ts'
import type { Config } from '../settings/config.ts'
import { confirm } from './confirm.ts'

type Services = Awaited<ReturnType<typeof createServices>>

const EXAMPLES = `
Examples:
  echo 'a good password' | bukhindor user create --email anna@example.org --name Anna --role admin --password-stdin
  bukhindor user set-role anna@example.org user
  bukhindor user list --role admin --json

<email> is the e-mail address of a user, in upper or lower case. As in the API, the last active administrator cannot be
deleted, demoted or deactivated.

Exit status: 0 done, 1 failed, 2 wrong usage.`

/** Creates the `user` commands, which act with the operator's permissions. */
export function userCommand(config: () => Config): Command {
  const command = new Command('user')
    .description('create and change users, including the first administrator')
    .addHelpText('after', EXAMPLES)
  const withServices = async <T>(work: (services: Services) => Promise<T>): Promise<T> => {
    const settings = config()
    await migrate(settings)
    const services = await createServices(settings, await createLog({ ...settings, logLevel: 'silent' }))
    return work(services).finally(() => services.close())
  }
  const role = () => new Option('--role <role>', 'role of the user').choices(['user', 'admin'])
  const json = () => new Option('--json', 'print JSON')

  command
    .command('create')
    .description('create a user')
    .requiredOption('--email <email>', 'e-mail address that the user signs in with')
    .requiredOption('--name <name>', 'name of the user')
    .addOption(role().default('user'))
    .addOption(new Option('--locale <locale>', 'language of e-mails').choices(['ru', 'en']).default('en'))
    .option(
      '--password-stdin',
      'read the password from standard input; without it, the user needs a password reset link to sign in',
    )
    .addOption(json())
    .action((options) =>
      withServices(async ({ operator }) => {
        const password = options.passwordStdin ? await readPassword() : undefined
        const { email, name, role, locale } = options
        print(options.json, await operator.create({ email, name, role, locale, password }), 'Created')
      }),
    )
  command
    .command('list')
    .description('list users, newest first')
    .option('--q <text>', 'part of the e-mail address or name')
    .addOption(role())
    .addOption(json())
    .action((options) =>
      withServices(async ({ operator }) => {
        if (!options.json) process.stdout.write(HEADING)
        for await (const user of operator.list({ q: options.q, role: options.role }))
          process.stdout.write(options.json ? `${JSON.stringify(user)}\n` : line(user))
      }),
    )
  command
    .command('set-role <email>')
    .description('change a user’s role')
    .addArgument(new Argument('<role>', 'role of the user').choices(['user', 'admin']))
    .addOption(json())
    .action((email, newRole, options) =>
      withServices(async ({ operator }) =>
        print(options.json, await operator.update(email, { role: newRole }), 'Changed'),
      ),
    )
  command
    .command('set-password <email>')
    .description('change a user’s password and sign them out everywhere')
    .requiredOption('--password-stdin', 'read the password from standard input')
    .addOption(json())
    .action((email, options) =>
      withServices(async ({ operator }) =>
        print(options.json, await operator.setPassword(email, await readPassword()), 'Changed the password of'),
      ),
    )
  for (const [name, is_active, description, done] of [
    ['activate', true, 'let a deactivated user sign in again', 'Activated'],
    ['deactivate', false, 'sign a user out everywhere and prevent them from signing in', 'Deactivated'],
  ] as const)
    command
      .command(`${name} <email>`)
      .description(description)
      .addOption(json())
      .action((email, options) =>
        withServices(async ({ operator }) => print(options.json, await operator.update(email, { is_active }), done)),
      )
  command
    .command('delete <email>')
    .description('permanently delete a user and all their data')
    .option('-y, --yes', 'skip the confirmation; required with --json and without a terminal')
    .addOption(json())
    .action((email, options, self: Command) => {
      if (!options.yes && (options.json || !process.stdin.isTTY))
        self.error('error: deleting a user cannot be undone. Add --yes to confirm')
      return withServices(async ({ operator }) => {
        const { email: address, name } = await operator.find(email)
        if (!options.yes) await confirm(`Permanently delete ${address} (${name}) and all their data?`)
        print(options.json, await operator.remove(email), 'Deleted')
      })
    })
  return command
}

async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password, then Enter and Ctrl-D: ')
  return (await text(process.stdin)).replace(/\r?\n$/, '')
}

const HEADING = 'CREATED     ROLE   STATE     E-MAIL  NAME\n'
const line = ({ email, name, role, is_active, created_at }: User) =>
  `${created_at.slice(0, 10)}  ${role.padEnd(5)}  ${is_active ? '        ' : 'inactive'}  ${email}  ${name}\n`

function print(json: boolean | undefined, user: User, action: string): void {
  process.stdout.write(json ? `${JSON.stringify(user)}\n` : `${action} ${user.email} (${user.role}, ${user.id})\n`)
}
