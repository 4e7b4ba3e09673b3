import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Locale } from '../../i18n/locale.ts'

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

/** Markup that is safe to send as it is: only `html` and `raw` make it. */
class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

export type { Markup }

type Interpolation = string | number | Markup | false | null | undefined | Interpolation[]

/**
 * Markup from a template: what is put in is escaped for text and for quoted attributes, unless it is markup itself;
 * lists are joined, and `false`, `null` and `undefined` leave nothing.
 */
export function html(strings: TemplateStringsArray, ...values: Interpolation[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...values.map(render)))
}

/** Markup from a string that the caller vouches for. */
export function raw(text: string): Markup {
  return new Markup(text)
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function render(value: Interpolation): string {
  if (value === false || value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(render).join('')
  return value instanceof Markup ? String(value) : String(value).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? '')
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

/** A whole HTML document: the one shell of all pages of the service. Send it with `PAGE_CSP`. */
export function page({ locale, title, body, wide = false, brand = 'Bukhindor', script }: PageOptions): string {
  return html`<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title} · ${brand}</title>
<link rel="stylesheet" href="${STYLESHEET_HREF}">
${script !== undefined && html`<script src="${script}" defer></script>\n`}</head>
<body class="${wide ? 'wide' : 'narrow'}">
<header class="brand">${wide ? html`<a href="/">${brand}</a>` : brand}</header>
<main>
${body}
</main>
</body>
</html>
`.toString()
}
