// The floor of a server on SQLite: one prepared select by primary key, its row as JSON.
import { createServer } from 'node:http'
import Database from 'better-sqlite3'
import { columns, people, person } from './people.ts'

const database = new Database(process.env.DATABASE as string)
database.pragma('journal_mode = WAL')
database.exec(`CREATE TABLE people (id INTEGER PRIMARY KEY, ${columns.slice(1).join(' TEXT, ')} TEXT) STRICT`)
const insert = database.prepare(`INSERT INTO people VALUES (${columns.map((column) => `@${column}`).join(', ')})`)
database.transaction(() => {
  for (let id = 0; id < people; id++) insert.run(person(id))
})()

const select = database.prepare('SELECT * FROM people WHERE id = ?')
let turn = 0
createServer((_request, response) => {
  turn = (turn + 7919) % people
  const body = Buffer.from(JSON.stringify(select.get(turn)))
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}).listen(Number(process.env.PORT), '127.0.0.1')
