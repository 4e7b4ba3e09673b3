import { describe, test } from 'node:test'
import { engines } from '../support/app.ts'
import { runCorpora } from './corpus.ts'
import { fuzz } from './fuzz.ts'

for (const { engine, name, skip } of engines)
  describe(`Wild input to a process on ${name}`, { skip }, () => {
    test('of corpora of JSON, naughty strings, injections and signatures gets no 5xx', async () => {
      await runCorpora(engine)
    })

    test('of 1,000 requests that were damaged by accident ends nothing and gets no 5xx', async () => {
      await fuzz(engine, { requests: 1000, seed: 7 })
    })
  })
