import type { ErrorDefinition } from '../../kernel/errors/app-error.ts'
import { html, page } from '../../kernel/http/html/page.ts'
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

/** `/`: what this is, and where to go on. */
export function homePage(locale: Locale, version: string): string {
  const text = TEXTS[locale]
  const body = html`<h1>${text.title}</h1>
    <p>${text.lead}</p>
    <ul>${text.links.map(([href, name, about]) => html`<li><a href="${href}">${name}</a> — ${about}</li>`)}</ul>
    <p><small>${text.version} ${version}</small></p>`
  return page({ locale, title: text.title, body })
}

/** `/docs`: Swagger UI, which `docs.ui.js` starts. Send it with `DOCS_CSP`. */
export function apiPage(locale: Locale, assets: string): string {
  const text = TEXTS[locale]
  return html`<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text.api} · Bukhindor</title>
<link rel="icon" href="${assets}/icon.svg">
<link rel="stylesheet" href="${assets}/swagger-ui.css">
<link rel="stylesheet" href="${assets}/docs.ui.css">
</head>
<body>
<header><a href="/">Bukhindor</a><nav><a href="/docs/errors">${text.errors}</a><a href="/openapi.json">OpenAPI</a></nav></header>
<main id="api" lang="en"><noscript lang="${locale}">${text.scriptNeeded} <a href="/openapi.json">/openapi.json</a></noscript></main>
<script src="${assets}/swagger-ui-bundle.js"></script>
<script src="${assets}/docs.ui.js"></script>
</body>
</html>
`.toString()
}

/** A sentence of the list of reasons: what stands between backquotes is code. */
const sentence = (text: string) => text.split('`').map((part, i) => (i % 2 ? html`<code>${part}</code>` : part))

/** `/docs/errors`: every error of the service. */
export function errorsPage(locale: Locale, errors: ErrorDefinition[]): string {
  const text = TEXTS[locale]
  const [, status, action, when, shown] = text.columns
  const rows = errors.map(
    ({ reason, status: code, action: does, about, text: shownText }) => html`<tr id="${reason}">
      <th scope="row"><code>${reason}</code></th>
      <td data-label="${status}">${code}</td>
      <td data-label="${action}"><code>${does}</code></td>
      <td data-label="${when}" lang="en">${sentence(about)}</td>
      <td data-label="${shown}">${shownText[locale]}</td>
    </tr>`,
  )
  const body = html`<h1>${text.errors}</h1>
    <p>${sentence(text.errorsLead)}</p>
    <h2>${text.actions}</h2>
    <dl>${Object.entries(text.actionTexts).map(([name, about]) => html`<dt><code>${name}</code></dt><dd>${sentence(about)}</dd>`)}</dl>
    <h2>${text.reasons}</h2>
    <table>
      <thead><tr>${text.columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
      <tbody>${rows}</tbody>
    </table>`
  return page({ locale, title: text.errors, body, wide: true })
}
