import { readFileSync } from 'node:fs'
import { Eta } from 'eta'

declare const escaped: unique symbol

/** Escaped HTML; created by templates. */
export type Markup = string & { readonly [escaped]: true }

const eta = new Eta()

/**
 * Compiles an HTML template in Eta; `<%= %>` escapes for text and quoted attributes. Call it when a module is loaded,
 * so that a broken template fails at startup.
 */
export function htmlTemplate<Data extends object>(file: URL): (data: Data) => Markup {
  const template = eta.compile(readFileSync(file, 'utf8'))
  return (data) => eta.render(template, data) as Markup
}
