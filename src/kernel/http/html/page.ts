import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Locale } from '../../i18n/locale.ts'
import { htmlTemplate, type Markup } from './template.ts'

/** The policy of every page of the service: its own stylesheet and forms, and nothing else (ASVS 3.4.3). */
export const PAGE_CSP =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** The policy of a page with a script: a file of the service, nothing inline. */
export const SCRIPTED_PAGE_CSP = `${PAGE_CSP}; script-src 'self'`

/** The stylesheet of every page and where it is served; `href` changes with it, so it may be cached for good. */
export const STYLESHEET = readFileSync(new URL('./page.css', import.meta.url), 'utf8')
export const STYLESHEET_PATH = '/assets/style.css'
const STYLESHEET_HREF = versioned(STYLESHEET_PATH, STYLESHEET)

/** The address of a file that changes with its content, so that browsers may keep the file. */
export function versioned(path: string, content: string): string {
  return `${path}?v=${createHash('sha256').update(content).digest('hex').slice(0, 8)}`
}

export interface PageOptions {
  locale: Locale
  title: string
  /** Everything inside `<main>`, its `<h1>` included. */
  body: Markup
  /** A page to read, with tables, instead of a card with one step. */
  wide?: boolean
  brand?: string
  /** The address of its script, if it has one: send it with `SCRIPTED_PAGE_CSP`. */
  script?: string
}

const shell = htmlTemplate<PageOptions & { wide: boolean; brand: string; stylesheet: string }>(
  new URL('./page.html.eta', import.meta.url),
)

/** A whole HTML document: the layout of all pages of the service. Send it with `PAGE_CSP`. */
export const page = ({ wide = false, brand = 'Bukhindor', ...options }: PageOptions): Markup =>
  shell({ ...options, wide, brand, stylesheet: STYLESHEET_HREF })
