import { text } from 'node:stream/consumers'
import { Argument, Command, Option } from 'commander'
import { createServices, migrate } from '../app.ts'
import type { Config } from '../kernel/config.ts'
import { createLog } from '../kernel/log.ts'
import type { User } from '../modules/users/users.schemas.ts'

type Services = Awaited<ReturnType<typeof createServices>>

const EXAMPLES = `
Examples:
  echo 'a good password' | bukhindor user create --email anna@example.org --name Anna --role admin --password-stdin
  bukhindor user set-role anna@example.org user
  bukhindor user list --role admin --json

An <email> is the address of a user, in any case. Rules are those of the API: the last active administrator stays.`

/** `user create`, `list`, `set-role`, `set-password`, `deactivate`, `delete`: for whoever runs the machine. */
export function userCommand(config: () => Config): Command {
  const command = new Command('user')
    .description('make and change users, the first administrator among them')
    .addHelpText('after', EXAMPLES)
  const withServices = async <T>(work: (services: Services) => Promise<T>): Promise<T> => {
    const settings = config()
    await migrate(settings)
    const services = await createServices(settings, await createLog({ ...settings, logLevel: 'silent' }))
    return work(services).finally(() => services.close())
  }
  const role = () => new Option('--role <role>', 'what the user may do').choices(['user', 'admin'])
  const json = () => new Option('--json', 'as JSON')

  command
    .command('create')
    .description('make a user')
    .requiredOption('--email <email>', 'the address they sign in with')
    .requiredOption('--name <name>', 'what they are called')
    .addOption(role().default('user'))
    .addOption(new Option('--locale <locale>', 'language of e-mails').choices(['ru', 'en']).default('en'))
    .option(
      '--password-stdin',
      'read the password from standard input; without it the user needs a reset link to sign in',
    )
    .addOption(json())
    .action((options) =>
      withServices(async ({ operator }) => {
        const password = options.passwordStdin ? await readPassword() : undefined
        const { email, name, role, locale } = options
        print(options.json, await operator.create({ email, name, role, locale, password }), 'made')
      }),
    )
  command
    .command('list')
    .description('list users, the newest first')
    .option('--q <text>', 'part of the e-mail or name')
    .addOption(role())
    .addOption(json())
    .action((options) =>
      withServices(async ({ operator }) => {
        for await (const user of operator.list({ q: options.q, role: options.role }))
          process.stdout.write(options.json ? `${JSON.stringify(user)}\n` : line(user))
      }),
    )
  command
    .command('set-role <email>')
    .description('make somebody an administrator, or no longer')
    .addArgument(new Argument('<role>', 'what the user may do').choices(['user', 'admin']))
    .addOption(json())
    .action((email, to, options) =>
      withServices(async ({ operator }) => print(options.json, await operator.update(email, { role: to }), 'changed')),
    )
  command
    .command('set-password <email>')
    .description('give a user another password, and sign them out everywhere')
    .requiredOption('--password-stdin', 'read the password from standard input')
    .addOption(json())
    .action((email, options) =>
      withServices(async ({ operator }) =>
        print(options.json, await operator.setPassword(email, await readPassword()), 'changed the password of'),
      ),
    )
  command
    .command('deactivate <email>')
    .description('keep a user from signing in, and sign them out everywhere')
    .addOption(json())
    .action((email, options) =>
      withServices(async ({ operator }) =>
        print(options.json, await operator.update(email, { is_active: false }), 'deactivated'),
      ),
    )
  command
    .command('delete <email>')
    .description('delete a user and everything that belongs to them, at once')
    .addOption(json())
    .action((email, options) =>
      withServices(async ({ operator }) => print(options.json, await operator.remove(email), 'deleted')),
    )
  return command
}

async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password, then Enter and Ctrl-D: ')
  return (await text(process.stdin)).replace(/\r?\n$/, '')
}

const line = ({ email, name, role, is_active, created_at }: User) =>
  `${created_at.slice(0, 10)}  ${role.padEnd(5)}  ${is_active ? '        ' : 'inactive'}  ${email}  ${name}\n`

function print(json: boolean | undefined, user: User, what: string): void {
  process.stdout.write(json ? `${JSON.stringify(user)}\n` : `${what} ${user.email} (${user.role}, ${user.id})\n`)
}
