import type { ErrorDefinition } from '../../kernel/errors/app-error.ts'
import { page } from '../../kernel/http/html/page.ts'
import { htmlTemplate } from '../../kernel/http/html/template.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'

const TEXTS = {
  en: {
    title: 'Bukhindor Backend',
    lead: 'A REST API for the accounts, sessions and users of an app.',
    links: [
      ['/docs', 'API documentation', 'all endpoints, with examples to try out'],
      ['/docs/errors', 'Errors', 'all error reasons and how a client should react'],
      ['/openapi.json', 'OpenAPI document', 'for code generators; also available as YAML at /openapi.yaml'],
      ['/health/ready', 'Health', 'whether this instance is ready to serve requests'],
    ],
    version: 'Version',
    api: 'API documentation',
    scriptNeeded: 'This page requires JavaScript. The OpenAPI document has the same content:',
    errors: 'Errors',
    errorsLead:
      'Every error has a JSON body of type `application/problem+json` (RFC 9457). Programs use `reason` and `action`. Users see `error`, in Russian or English depending on `Accept-Language`.',
    columns: ['Reason', 'Status', 'Action', 'When', 'Shown to users'],
    actions: 'Actions',
    reasons: 'Reasons',
    actionTexts: {
      fix: 'Change the request before sending it again. `fields` lists the invalid fields.',
      retry: 'Send the same request again later, after `Retry-After` if the response has it.',
      refresh: 'Refresh the session once, then repeat the request with the new access token.',
      reauthenticate:
        'The session has ended: ask the user to sign in. Only in this case may a client discard its tokens.',
      none: 'Show the message. Repeating the request does not help.',
    },
  },
  ru: {
    title: 'Bukhindor Backend',
    lead: 'REST API для аккаунтов, сеансов и пользователей приложения.',
    links: [
      ['/docs', 'Документация API', 'все методы с примерами, которые можно выполнить'],
      ['/docs/errors', 'Ошибки', 'все причины ошибок и действия клиента'],
      ['/openapi.json', 'Документ OpenAPI', 'для генераторов кода; в формате YAML: /openapi.yaml'],
      ['/health/ready', 'Состояние', 'готов ли сервер принимать запросы'],
    ],
    version: 'Версия',
    api: 'Документация API',
    scriptNeeded: 'Для этой страницы нужен JavaScript. То же содержание есть в документе OpenAPI:',
    errors: 'Ошибки',
    errorsLead:
      'Каждая ошибка возвращается в формате JSON, `application/problem+json` (RFC 9457). Программы используют `reason` и `action`. Пользователь видит `error` на русском или английском языке в зависимости от `Accept-Language`.',
    columns: ['Причина', 'Статус', 'Действие', 'Когда', 'Что видит пользователь'],
    actions: 'Действия',
    reasons: 'Причины',
    actionTexts: {
      fix: 'Измените запрос, прежде чем повторить его. В `fields` перечислены поля с ошибками.',
      retry: 'Повторите тот же запрос позже: через время из `Retry-After`, если оно указано.',
      refresh: 'Один раз обновите сеанс и повторите запрос с новым токеном доступа.',
      reauthenticate:
        'Сеанс завершён: попросите пользователя войти. Только в этом случае клиент может удалить свои токены.',
      none: 'Покажите сообщение. Повторять запрос бесполезно.',
    },
  },
} as const

interface HomeData {
  title: string
  lead: string
  links: readonly (readonly [href: string, name: string, about: string])[]
  versionLabel: string
  version: string
}

interface ApiData {
  locale: Locale
  title: string
  errors: string
  scriptNeeded: string
  /** The path of the static files. */
  assets: string
}

interface ErrorsData {
  locale: Locale
  title: string
  /** Here, in `actionTexts` and in descriptions of errors, text between backquotes is code. */
  lead: string
  columns: readonly string[]
  actions: string
  actionTexts: [action: string, about: string][]
  reasons: string
  errors: ErrorDefinition[]
}

const home = htmlTemplate<HomeData>(new URL('./home.html.eta', import.meta.url))
const api = htmlTemplate<ApiData>(new URL('./api.html.eta', import.meta.url))
const listOfErrors = htmlTemplate<ErrorsData>(new URL('./errors.html.eta', import.meta.url))

/** Renders `/`, the start page. */
export function homePage(locale: Locale, version: string): string {
  const { title, lead, links, version: versionLabel } = TEXTS[locale]
  return page({ locale, title, body: home({ title, lead, links, versionLabel, version }) })
}

/** Renders `/docs`, which runs Swagger UI through `docs.ui.js`. Send it with `DOCS_CSP`. */
export function apiPage(locale: Locale, assets: string): string {
  const { api: title, errors, scriptNeeded } = TEXTS[locale]
  return api({ locale, title, errors, scriptNeeded, assets })
}

/** Renders `/docs/errors`, all errors of the service. */
export function errorsPage(locale: Locale, errors: ErrorDefinition[]): string {
  const { errors: title, errorsLead: lead, columns, actions, reasons, actionTexts } = TEXTS[locale]
  const texts = { locale, title, lead, columns, actions, reasons, actionTexts: Object.entries(actionTexts) }
  return page({ locale, title, body: listOfErrors({ ...texts, errors }), wide: true })
}
