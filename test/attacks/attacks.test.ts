import { after, before, describe, test } from 'node:test'
import { describeOnEachEngine } from '../support/app.ts'
import { ATTACKS } from './list.ts'
import { startTarget, type Target } from './target.ts'

describeOnEachEngine('Attacks on a server process', (engine) => {
  const quick = ATTACKS.filter((attack) => attack.quick && (attack.engine ?? engine) === engine)
  const byEnv = Map.groupBy(quick, ({ env }) => JSON.stringify(env ?? {}))
  for (const [env, attacks] of byEnv)
    describe(env === '{}' ? 'with default settings' : `with ${env}`, () => {
      let target: Target
      before(async () => {
        target = await startTarget(engine, JSON.parse(env))
      })
      after(() => target?.stop())
      for (const { title, run } of attacks) test(title, () => run(target))
    })
})
