import type { ErrorDefinition } from '../../kernel/errors/app-error.ts'
import { html, page } from '../../kernel/http/html/page.ts'
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
