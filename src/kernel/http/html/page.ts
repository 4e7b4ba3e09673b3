import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Locale } from '../../i18n/locale.ts'
import { htmlTemplate, type Markup } from './template.ts'

/** The policy of every page of the service: its own stylesheet and forms, and nothing else (ASVS 3.4.3). */
export const PAGE_CSP =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** The stylesheet of every page and where it is served; `href` changes with it, so it may be cached for good. */
export const STYLESHEET = readFileSync(new URL('./page.css', import.meta.url), 'utf8')
export const STYLESHEET_PATH = '/assets/style.css'
const STYLESHEET_HREF = `${STYLESHEET_PATH}?v=${createHash('sha256').update(STYLESHEET).digest('hex').slice(0, 8)}`

export interface PageOptions {
  locale: Locale
  title: string
  /** Everything inside `<main>`, its `<h1>` included. */
  body: Markup
  /** A page to read, with tables, instead of a card with one step. */
  wide?: boolean
  brand?: string
}

const shell = htmlTemplate<Required<PageOptions> & { stylesheet: string }>(new URL('./page.html.eta', import.meta.url))

/** A whole HTML document: the layout of all pages of the service. Send it with `PAGE_CSP`. */
export const page = ({ wide = false, brand = 'Bukhindor', ...options }: PageOptions): Markup =>
  shell({ ...options, wide, brand, stylesheet: STYLESHEET_HREF })
