// The peer, set up as its documentation has it: e-mail and password, the bearer plugin, SQLite by better-sqlite3 on a
// WAL file. Its rate limiter is off, which would otherwise refuse most of the load.
import { createServer } from 'node:http'
import Database from 'better-sqlite3'

// Installed in this folder only when the benchmark runs: the type checker must not ask for it.
const peer = (path: string) => import(path)
const [{ betterAuth }, { bearer }, { toNodeHandler }, { getMigrations }] = await Promise.all(
  ['better-auth', 'better-auth/plugins', 'better-auth/node', 'better-auth/db/migration'].map(peer),
)

const database = new Database(process.env.DATABASE as string)
database.pragma('journal_mode = WAL')
const auth = betterAuth({
  database,
  secret: process.env.SECRET,
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  emailAndPassword: { enabled: true },
  plugins: [bearer()],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
})
await (await getMigrations(auth.options)).runMigrations()
createServer(toNodeHandler(auth)).listen(Number(process.env.PORT), '127.0.0.1')
