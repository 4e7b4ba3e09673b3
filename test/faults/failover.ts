import { outage } from './postgres-restart.ts'
import type { Fault } from './support/fault.ts'
import { startStandby } from './support/standby.ts'

export const failover: Fault = {
  name: 'failover',
  title: 'the primary is killed, its synchronous standby is promoted; a DSN with both hosts',
  holds: 'as for the restart; switches to the new primary by itself',
  quick: true,
  async run(context) {
    const primary = await context.postgres()
    const url = await primary.createDatabase()
    const standby = await startStandby(primary)
    context.defer(standby.stop)
    const one = `127.0.0.1:${primary.port}`
    const other = `127.0.0.1:${standby.port}`
    return outage(
      context,
      url.replace(one, `${one},${other}`),
      () => primary.stop('immediate'),
      () => standby.promote().then(() => url.replace(one, other)),
    )
  },
}
