import swaggerUi from '@fastify/swagger-ui'
import { stringify } from 'yaml'
import { localeOf } from '../../kernel/http/locale.ts'
import { PAGE_CSP, STYLESHEET, STYLESHEET_PATH } from '../../kernel/http/page.ts'
import { DOCS_CSP } from '../../kernel/http/security.ts'
import type { App } from '../../kernel/http/server.ts'
import { errorsPage, homePage } from './docs.pages.ts'

const PAGE = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': PAGE_CSP,
  'cross-origin-opener-policy': 'same-origin',
}
const hide = { hide: true }

/** The reading matter that the service carries with it: what it is, its API, its errors. All of it works offline. */
export const docsRoutes = (version: string) => async (app: App) => {
  app.get('/', { schema: hide }, (request, reply) => {
    reply.headers(PAGE).send(homePage(localeOf(request), version))
  })
  app.get('/docs/errors', { schema: hide }, (request, reply) => {
    reply.headers(PAGE).send(errorsPage(localeOf(request)))
  })
  app.get(STYLESHEET_PATH, { schema: hide }, (_request, reply) => {
    reply
      .headers({ 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable' })
      .send(STYLESHEET)
  })

  let json: string | undefined
  let yaml: string | undefined
  app.get('/openapi.json', { schema: hide }, (_request, reply) => {
    json ??= JSON.stringify(app.swagger())
    reply
      .headers({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=60' })
      .send(json)
  })
  app.get('/openapi.yaml', { schema: hide }, (_request, reply) => {
    yaml ??= stringify(app.swagger())
    reply
      .headers({ 'content-type': 'application/yaml; charset=utf-8', 'cache-control': 'public, max-age=60' })
      .send(yaml)
  })

  await app.register(async (docs) => {
    docs.addHook('onRequest', async (_request, reply) => {
      reply.headers({ 'content-security-policy': DOCS_CSP, 'cross-origin-opener-policy': 'same-origin' })
    })
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { url: '/openapi.json', docExpansion: 'list', persistAuthorization: false, tryItOutEnabled: false },
      theme: { title: 'Bukhindor API' },
    })
  })
}
