import type { FastifyRequest } from 'fastify'
import { type Locale, negotiateLocale } from '../i18n/locale.ts'
import type { Text } from '../i18n/messages.ts'

/** Returns the preferred language of a request. */
export const localeOf = (request: FastifyRequest): Locale => negotiateLocale(request.headers['accept-language'])

/** Returns a text in the preferred language of a request. */
export const translate = (request: FastifyRequest, text: Text): string => text[localeOf(request)]
