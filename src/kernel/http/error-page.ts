import type { FastifyRequest } from 'fastify'
import type { AppError } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'
import type { Locale } from '../i18n/locale.ts'
import { PAGE_CSP, page } from './html/page.ts'
import { htmlTemplate } from './html/template.ts'

const TEXTS = {
  en: { id: 'Request ID', home: 'Go to the home page', missing: 'This page does not exist.' },
  ru: { id: 'Номер запроса', home: 'На главную страницу', missing: 'Такой страницы нет.' },
} as const

const JSON_PATHS = /^\/(api|v1|openapi|health|metrics|\.well-known)([/.?]|$)/

/** Whether to respond with a page: a browser requests a path outside of the API. */
export function prefersPage({ url, headers }: FastifyRequest): boolean {
  const { accept = '' } = headers
  const [first = ''] = accept.split(',', 1)
  return /^\s*(text\/html|application\/xhtml\+xml)\s*(;|$)/i.test(first) && !JSON_PATHS.test(url)
}

const content = htmlTemplate<{
  status: number
  sentence: string
  texts: (typeof TEXTS)[Locale]
  requestId: string
}>(new URL('./html/error.html.eta', import.meta.url))

/** Renders an error as a page instead of JSON. */
export function errorPage(error: AppError, locale: Locale, requestId: string) {
  const texts = TEXTS[locale]
  const sentence = error.definition === kernelErrors.not_found ? texts.missing : error.definition.text[locale]
  const body = content({ status: error.status, sentence, texts, requestId })
  return {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': PAGE_CSP,
      vary: 'Origin, Accept',
    },
    body: page({ locale, title: String(error.status), body }),
  }
}
