import type { ErrorDefinition } from '../../kernel/errors/app-error.ts'
import { page } from '../../kernel/http/html/page.ts'
import { htmlTemplate } from '../../kernel/http/html/template.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'

const TEXTS = {
  en: {
    title: 'Bukhindor Backend',
    lead: 'Accounts, sessions and users for an app, by a REST API.',
    links: [
      ['/docs', 'API documentation', 'every endpoint, to read and to try'],
      ['/docs/errors', 'Errors', 'every reason, and what a client should do'],
      ['/openapi.json', 'OpenAPI document', 'for generators; also as YAML at /openapi.yaml'],
      ['/health/ready', 'Health', 'whether this instance takes requests'],
    ],
    version: 'Version',
    api: 'API documentation',
    scriptNeeded: 'This page needs JavaScript. The same is in the OpenAPI document:',
    errors: 'Errors',
    errorsLead:
      'Every error is one JSON body, `application/problem+json` (RFC 9457). Programs decide by `reason` and `action`; people read `error`, in Russian or English by `Accept-Language`.',
    columns: ['Reason', 'Status', 'Action', 'When', 'Shown to people'],
    actions: 'Actions',
    reasons: 'Reasons',
    actionTexts: {
      fix: 'The request must be changed before it is sent again.',
      retry: 'The same request may succeed later; `Retry-After` says when, where it is known.',
      refresh: 'The access token is no good: refresh once, then repeat the request.',
      reauthenticate: 'The session is over. Only now may a client drop its tokens.',
      none: 'Nothing that a client can do by itself.',
    },
  },
  ru: {
    title: 'Bukhindor Backend',
    lead: 'Аккаунты, сеансы и пользователи приложения через REST API.',
    links: [
      ['/docs', 'Документация API', 'все методы: прочитать и попробовать'],
      ['/docs/errors', 'Ошибки', 'все причины и что с ними делать клиенту'],
      ['/openapi.json', 'Документ OpenAPI', 'для генераторов; в YAML: /openapi.yaml'],
      ['/health/ready', 'Состояние', 'принимает ли сервер запросы'],
    ],
    version: 'Версия',
    api: 'Документация API',
    scriptNeeded: 'Этой странице нужен JavaScript. То же самое есть в документе OpenAPI:',
    errors: 'Ошибки',
    errorsLead:
      'Любая ошибка — это одно тело JSON, `application/problem+json` (RFC 9457). Программа решает по `reason` и `action`, человек читает `error`: по-русски или по-английски, смотря по `Accept-Language`.',
    columns: ['Причина', 'Статус', 'Действие', 'Когда', 'Что видит человек'],
    actions: 'Действия',
    reasons: 'Причины',
    actionTexts: {
      fix: 'Запрос нужно изменить, прежде чем повторять.',
      retry: 'Тот же запрос может удаться позже; когда — говорит `Retry-After`, если это известно.',
      refresh: 'Токен доступа не годится: обновите его один раз и повторите запрос.',
      reauthenticate: 'Сеанс завершён. Только теперь клиент может забыть свои токены.',
      none: 'Клиент сам ничего сделать не может.',
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
  /** The path of its files. */
  assets: string
}

interface ErrorsData {
  locale: Locale
  title: string
  /** In this, in `actionTexts` and in what an error is about, text between backquotes is code. */
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

/** `/`: what this is, and where to go on. */
export function homePage(locale: Locale, version: string): string {
  const { title, lead, links, version: versionLabel } = TEXTS[locale]
  return page({ locale, title, body: home({ title, lead, links, versionLabel, version }) })
}

/** `/docs`: Swagger UI, which `docs.ui.js` starts. Send it with `DOCS_CSP`. */
export function apiPage(locale: Locale, assets: string): string {
  const { api: title, errors, scriptNeeded } = TEXTS[locale]
  return api({ locale, title, errors, scriptNeeded, assets })
}

/** `/docs/errors`: every error of the service. */
export function errorsPage(locale: Locale, errors: ErrorDefinition[]): string {
  const { errors: title, errorsLead: lead, columns, actions, reasons, actionTexts } = TEXTS[locale]
  const texts = { locale, title, lead, columns, actions, reasons, actionTexts: Object.entries(actionTexts) }
  return page({ locale, title, body: listOfErrors({ ...texts, errors }), wide: true })
}
