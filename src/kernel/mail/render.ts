import { fileURLToPath } from 'node:url'
import { Eta } from 'eta'

export interface RenderedMail {
  /** A single line. */
  subject: string
  text: string
  html: string
}

// Line breaks would add header fields (RFC 5322, 2.2); direction marks would reorder the text after a name.
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]+/gu

/** Returns `value` as one line of well-formed Unicode, without control characters and direction marks. */
export function oneLine(value: string): string {
  return value.toWellFormed().replace(CONTROLS, ' ').trim()
}

/**
 * Creates a renderer of Eta templates: `render('email', data)` fills `email.html.eta`, where `<%= %>` is escaped, and
 * `email.txt.eta`, where it is not. Templates are read at their first use.
 */
export function createMailRenderer(folder: URL) {
  const views = fileURLToPath(folder)
  const html = new Eta({ views, cache: true })
  const text = new Eta({ views, cache: true, autoEscape: false, autoTrim: false })

  return function render<T extends { subject: string }>(template: string, data: T): RenderedMail {
    const subject = oneLine(data.subject)
    return {
      subject,
      text: text.render(`${template}.txt.eta`, { ...data, subject }),
      html: html.render(`${template}.html.eta`, { ...data, subject }),
    }
  }
}
