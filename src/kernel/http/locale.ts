import type { FastifyRequest } from 'fastify'
import { type Locale, negotiateLocale } from '../i18n/locale.ts'
import { MESSAGES, type MessageKey } from '../i18n/messages.ts'

/** The language in which a request wants its sentences. */
export const localeOf = (request: FastifyRequest): Locale => negotiateLocale(request.headers['accept-language'])

/** A confirmation in that language. */
export const say = (request: FastifyRequest, key: MessageKey): string => MESSAGES[key][localeOf(request)]
