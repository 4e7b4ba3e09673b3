import { type SerializerFactory, SerializerSelector } from '@fastify/fast-json-stringify-compiler'

/**
 * Fastify's serializers, each compiled when it is first used. A route has a dozen answers, most of them errors that it
 * never serializes: to compile all of them would be a good part of the start.
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
