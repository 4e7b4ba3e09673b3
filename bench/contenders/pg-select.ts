// The floor of a server on PostgreSQL: one named prepared select by primary key through a pool, its row as JSON.
import { createServer } from 'node:http'
import { Pool } from 'pg'
import { columns, people, person } from './people.ts'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
await pool.query(`CREATE TABLE people (id integer PRIMARY KEY, ${columns.slice(1).join(' text, ')} text)`)
await pool.query('INSERT INTO people SELECT * FROM json_populate_recordset(null::people, $1)', [
  JSON.stringify(Array.from({ length: people }, (_, id) => person(id))),
])
await pool.query('ANALYZE people')

let turn = 0
createServer(async (_request, response) => {
  turn = (turn + 7919) % people
  const found = await pool.query({ name: 'person', text: 'SELECT * FROM people WHERE id = $1', values: [turn] })
  const body = Buffer.from(JSON.stringify(found.rows[0]))
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}).listen(Number(process.env.PORT), '127.0.0.1')
