import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { ErrorDefinition } from '../../kernel/errors/app-error.ts'
import { PAGE_CSP, STYLESHEET, STYLESHEET_PATH } from '../../kernel/http/html/page.ts'
import { localeOf } from '../../kernel/http/locale.ts'
import { DOCS_CSP } from '../../kernel/http/plugins/security-headers.ts'
import type { App } from '../../kernel/http/types.ts'
import { apiPage, errorsPage, homePage } from './docs.pages.ts'

const PAGE = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': PAGE_CSP,
  'cross-origin-opener-policy': 'same-origin',
}
const CACHED = { 'cache-control': 'public, max-age=31536000, immutable' }
const CACHED_BRIEFLY = { 'cache-control': 'public, max-age=60' }
const hide = { hide: true }

/**
 * Only the built files of the package are used: its page has a foreign header and inline styles, which the
 * Content-Security-Policy refuses, and does not fit small screens.
 */
const ASSETS = {
  'swagger-ui.css': import.meta.resolve('@fastify/swagger-ui/static/swagger-ui.css'),
  'swagger-ui-bundle.js': import.meta.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js'),
  'docs.ui.css': import.meta.resolve('./docs.ui.css'),
  'docs.ui.js': import.meta.resolve('./docs.ui.js'),
  'icon.svg': import.meta.resolve('./icon.svg'),
}
/** For browsers that request `/favicon.ico`. */
const ICON = readFileSync(new URL('./icon.svg', import.meta.url))
const TYPES = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' } as Record<string, string>

/** The documentation pages: start page, API and errors. They work offline. */
export const docsRoutes = (version: string, errors: ErrorDefinition[]) => async (app: App) => {
  app.get('/', { schema: hide }, (request, reply) => {
    reply.headers(PAGE).send(homePage(localeOf(request), version))
  })
  app.get('/docs/errors', { schema: hide }, (request, reply) => {
    reply.headers(PAGE).send(errorsPage(localeOf(request), errors))
  })
  app.get(STYLESHEET_PATH, { schema: hide }, (_request, reply) => {
    reply.headers({ 'content-type': 'text/css; charset=utf-8', ...CACHED }).send(STYLESHEET)
  })

  let json: string | undefined
  let yaml: string | undefined
  app.get('/openapi.json', { schema: hide }, (_request, reply) => {
    json ??= JSON.stringify(app.swagger())
    reply.headers({ 'content-type': 'application/json; charset=utf-8', ...CACHED_BRIEFLY }).send(json)
  })
  app.get('/openapi.yaml', { schema: hide }, async (_request, reply) => {
    yaml ??= (await import('yaml')).stringify(app.swagger())
    return reply.headers({ 'content-type': 'application/yaml; charset=utf-8', ...CACHED_BRIEFLY }).send(yaml)
  })

  const assets = `/docs/assets/${version}`
  app.get('/docs', { schema: hide }, (request, reply) => {
    reply.headers({ ...PAGE, 'content-security-policy': DOCS_CSP }).send(apiPage(localeOf(request), assets))
  })
  app.get('/docs/', { schema: hide }, (_request, reply) => reply.redirect('/docs', 308))
  app.get('/favicon.ico', { schema: hide }, (_request, reply) => {
    reply
      .headers({ 'content-type': 'image/svg+xml; charset=utf-8', 'cache-control': 'public, max-age=86400' })
      .send(ICON)
  })
  for (const [name, url] of Object.entries(ASSETS)) {
    const type = TYPES[name.split('.').at(-1) as string]
    // Read once: a stream per client would hold a file handle and buffers while a slow client reads.
    let content: Buffer | undefined
    app.get(`${assets}/${name}`, { schema: hide }, async (_request, reply) => {
      content ??= await readFile(fileURLToPath(url))
      return reply.headers({ 'content-type': `${type}; charset=utf-8`, ...CACHED }).send(content)
    })
  }
}
