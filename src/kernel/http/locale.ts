import type { FastifyRequest } from 'fastify'
import { type Locale, negotiateLocale } from '../i18n/locale.ts'
import type { Text } from '../i18n/messages.ts'

/** The language in which a request wants its sentences. */
export const localeOf = (request: FastifyRequest): Locale => negotiateLocale(request.headers['accept-language'])

/** A sentence in that language. */
export const translate = (request: FastifyRequest, text: Text): string => text[localeOf(request)]
