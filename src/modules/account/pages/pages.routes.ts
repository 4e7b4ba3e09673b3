import type { FastifyRequest } from 'fastify'
import { AppError } from '../../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../../kernel/http/call-context.ts'
import { PAGE_CSP, SCRIPTED_PAGE_CSP } from '../../../kernel/http/html/page.ts'
import { localeOf } from '../../../kernel/http/locale.ts'
import type { App } from '../../../kernel/http/types.ts'
import { LOCALES, type Locale } from '../../../kernel/i18n/locale.ts'
import { fieldMessage } from '../../../kernel/i18n/messages.ts'
import type { Origin } from '../../../kernel/lib/call-context.ts'
import type { RefreshCookie } from '../../auth/refresh-cookie.ts'
import { credentialsErrors } from '../../credentials/credentials.errors.ts'
import type { Credentials } from '../../credentials/credentials.service.ts'
import { LINK_PATHS, type LinkKind } from '../../credentials/one-time-tokens.service.ts'
import type { Account } from '../account.service.ts'
import { PAGE_TEXTS } from './pages.messages.ts'
import { confirmPage, donePage, failedPage, hasScript, SCRIPT, SCRIPT_PATH } from './pages.ts'

const PAGE = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': PAGE_CSP,
  'cross-origin-opener-policy': 'same-origin',
}

const CACHED = { 'cache-control': 'public, max-age=31536000, immutable' }

interface Form {
  token: string
  lang: string | null
  password: string
  passwordAgain: string
}

/**
 * The pages that links in e-mails open. Opening one changes nothing, because mail scanners open links too; its button
 * does. The token in the form authorizes it: there is no session that another site could abuse.
 */
export const accountPages =
  (account: Account, credentials: Credentials, minPasswordLength: number, cookie: RefreshCookie) =>
  async (app: App) => {
    app.removeContentTypeParser('application/json') // JSON would allow fields of any type
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
      done(null, readForm(new URLSearchParams(body as string))),
    )

    /** The action of each flow. Some return the token of a device that is known from now on. */
    const actions: Record<LinkKind, (form: Form, origin: Origin) => Promise<unknown>> = {
      verify_email: ({ token }, origin) => account.verifyEmail(token, origin),
      change_email: ({ token }, origin) => account.changeEmail(token, origin),
      undo_deletion: ({ token }, origin) => account.undoDeletion(token, origin),
      reset_password: ({ token, password }, origin) => credentials.reset({ token, new_password: password }, origin),
    }

    app.get(SCRIPT_PATH, { schema: { hide: true } }, (_request, reply) => {
      reply.headers({ 'content-type': 'text/javascript; charset=utf-8', ...CACHED }).send(SCRIPT)
    })

    for (const flow of Object.keys(LINK_PATHS) as LinkKind[]) {
      const FORM = hasScript(flow) ? { ...PAGE, 'content-security-policy': SCRIPTED_PAGE_CSP } : PAGE
      app.get(LINK_PATHS[flow], { schema: { hide: true } }, async (request, reply) => {
        const { token, lang } = request.query as { token?: string; lang?: string }
        const locale = languageOf(lang, request)
        const link = typeof token === 'string' ? await orNull(account.peekLink(flow, token)) : null
        return link && token
          ? reply.headers(FORM).send(confirmPage({ flow, locale, token, email: link.email, minPasswordLength }))
          : reply.code(400).headers(PAGE).send(failedPage({ flow, locale }))
      })

      app.post(LINK_PATHS[flow], { schema: { hide: true } }, async (request, reply) => {
        const form = request.body as Form | undefined
        if (!form)
          throw new AppError(kernelErrors.unsupported_media_type, {
            detail: 'Send the form of this page: application/x-www-form-urlencoded.',
          })
        const { token } = form
        const locale = languageOf(form.lang, request)
        const link = await orNull(account.peekLink(flow, token))
        if (!link) return reply.code(400).headers(PAGE).send(failedPage({ flow, locale }))
        const { email } = link
        try {
          if (flow === 'reset_password' && form.password !== form.passwordAgain)
            return showForm([PAGE_TEXTS[locale].common.mismatch])
          const deviceToken = await actions[flow](form, originOf(request))
          if (typeof deviceToken === 'string') cookie.setDevice(request, reply, deviceToken)
          return reply.headers(PAGE).send(donePage({ flow, locale, email }))
        } catch (error) {
          if (!(error instanceof AppError) || error.status >= 500) throw error
          if (error.definition === credentialsErrors.link_invalid)
            return reply.code(400).headers(PAGE).send(failedPage({ flow, locale }))
          return showForm(sentences(error, locale), error.status)
        }

        function showForm(errors: string[], status = 400) {
          const options = { flow, locale, token, email, errors, minPasswordLength }
          return reply.code(status).headers(FORM).send(confirmPage(options))
        }
      })
    }
  }

/** Returns the language of the link, or else of the browser. */
const languageOf = (lang: unknown, request: FastifyRequest): Locale =>
  LOCALES.find((locale) => locale === lang) ?? localeOf(request)

/** Returns the messages of the invalid fields, or of the error itself. */
const sentences = (error: AppError, locale: Locale): string[] =>
  error.options.fields?.map((fault) => fieldMessage(fault, locale)) ?? [error.definition.text[locale]]

const readForm = (form: URLSearchParams): Form => ({
  token: (form.get('token') ?? '').slice(0, 200),
  lang: form.get('lang'),
  password: (form.get('new_password') ?? '').slice(0, 1024),
  passwordAgain: (form.get('new_password_again') ?? '').slice(0, 1024),
})

const orNull = <T>(promise: Promise<T>): Promise<T | null> =>
  promise.catch((error) => {
    if (error instanceof AppError && error.status < 500) return null
    throw error
  })
