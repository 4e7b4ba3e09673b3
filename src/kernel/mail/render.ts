import { fileURLToPath } from 'node:url'
import { Eta } from 'eta'

export interface RenderedMail {
  /** One line, whatever went into it. */
  subject: string
  text: string
  html: string
}

// Line breaks would add header fields (RFC 5322, 2.2); direction marks would turn round the words after a name.
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]+/gu

/** `value` as one line of well-formed Unicode, without control characters and direction marks. */
export function oneLine(value: string): string {
  return value.toWellFormed().replace(CONTROLS, ' ').trim()
}

/**
 * A renderer over a folder of Eta templates: `render('email', data)` fills `email.html.eta`, escaping every `<%= %>`,
 * and `email.txt.eta`, escaping none. Templates are read once, at their first use.
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
