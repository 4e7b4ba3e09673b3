import fp from 'fastify-plugin'
import type { Lifecycle } from '../types.ts'

/** During shutdown, closes connections with their next response, so that clients connect to another instance. */
export const draining = fp<{ lifecycle: Lifecycle }>(
  async (app, { lifecycle }) => {
    app.addHook('onRequest', (_request, reply, done) => {
      if (lifecycle.draining) reply.header('connection', 'close')
      done()
    })
  },
  { name: 'draining', fastify: '5.x' },
)
