import { readFileSync } from 'node:fs'
import { Eta } from 'eta'

declare const escaped: unique symbol

/** HTML that is safe to send as it is: only templates make it. */
export type Markup = string & { readonly [escaped]: true }

const eta = new Eta()

/**
 * An HTML template in Eta, the engine of the e-mails: `<%= %>` escapes its value for text and quoted attributes. The file
 * is read and compiled when its module is loaded, so that a broken template stops the start and not a request.
 */
export function htmlTemplate<Data extends object>(file: URL): (data: Data) => Markup {
  const template = eta.compile(readFileSync(file, 'utf8'))
  return (data) => eta.render(template, data) as Markup
}
