import { test } from 'node:test'
import { describeOnEachEngine } from '../support/app.ts'
import { runCorpora } from './corpus.ts'
import { fuzz } from './fuzz.ts'

describeOnEachEngine('Hostile input to a server process', (engine) => {
  test('corpora of JSON, naughty strings, injections and signatures cause no 5xx', async () => {
    await runCorpora(engine)
  })

  test('1,000 randomly corrupted requests cause no crash and no 5xx', async () => {
    await fuzz(engine, { requests: 1000, seed: 7 })
  })
})
