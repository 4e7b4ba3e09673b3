import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Locale } from '../../i18n/locale.ts'
import { htmlTemplate, type Markup } from './template.ts'

/** Content security policy of pages: own stylesheets and forms only (ASVS 3.4.3). */
export const PAGE_CSP =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** The same with scripts from files of the service, none inline. */
export const SCRIPTED_PAGE_CSP = `${PAGE_CSP}; script-src 'self'`

/** The stylesheet of the pages; its URL contains a hash, so that it can be cached permanently. */
export const STYLESHEET = readFileSync(new URL('./page.css', import.meta.url), 'utf8')
export const STYLESHEET_PATH = '/assets/style.css'
const STYLESHEET_HREF = versioned(STYLESHEET_PATH, STYLESHEET)

/** Returns the URL of a file with a hash of its content, so that browsers can cache it permanently. */
export function versioned(path: string, content: string): string {
  return `${path}?v=${createHash('sha256').update(content).digest('hex').slice(0, 8)}`
}

export interface PageOptions {
  locale: Locale
  title: string
  /** The content of `<main>`, including its `<h1>`. */
  body: Markup
  /** A wide layout for text and tables instead of a card. */
  wide?: boolean
  brand?: string
  /** URL of a script; send the page with `SCRIPTED_PAGE_CSP` then. */
  script?: string
}

const layout = htmlTemplate<PageOptions & { wide: boolean; brand: string; stylesheet: string }>(
  new URL('./page.html.eta', import.meta.url),
)

/** Renders an HTML document in the layout of the service. Send it with `PAGE_CSP`. */
export const page = ({ wide = false, brand = 'Bukhindor', ...options }: PageOptions): Markup =>
  layout({ ...options, wide, brand, stylesheet: STYLESHEET_HREF })
