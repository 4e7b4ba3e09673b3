import fp from 'fastify-plugin'
import type { Lifecycle } from '../types.ts'

/** While the instance goes away, each answer closes its connection, and the client opens its next one at another instance. */
export const draining = fp<{ lifecycle: Lifecycle }>(
  async (app, { lifecycle }) => {
    app.addHook('onRequest', (_request, reply, done) => {
      if (lifecycle.draining) reply.header('connection', 'close')
      done()
    })
  },
  { name: 'draining', fastify: '5.x' },
)
