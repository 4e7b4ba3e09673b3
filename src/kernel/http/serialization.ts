import { type SerializerFactory, SerializerSelector } from '@fastify/fast-json-stringify-compiler'

/**
 * Compiles Fastify's serializers at their first use. Most responses of a route are errors, which Fastify does not
 * serialize, and compiling all serializers would take a large part of the startup time.
 */
export const buildSerializer: SerializerFactory = (externalSchemas, options) => {
  const build = SerializerSelector()(externalSchemas, options)
  return (route) => {
    let serialize: ReturnType<typeof build> | undefined
    return (payload: unknown) => {
      serialize ??= build(route)
      return serialize(payload)
    }
  }
}
