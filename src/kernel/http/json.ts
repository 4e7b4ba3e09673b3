import { parse } from 'secure-json-parse'
import { AppError } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

const MAX_DEPTH = 32
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses a JSON body: valid UTF-8, at most 32 levels, no `__proto__` or `constructor.prototype` keys (RFC 8259; ASVS 1.5.2,
 * 15.3.6). Returns undefined for an empty body, since the app sends the content type of JSON with every request.
 * Throws AppError `malformed_json`.
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  if (isTooDeep(bytes))
    throw new AppError(kernelErrors.malformed_json, { detail: `The JSON is nested deeper than ${MAX_DEPTH} levels.` })
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new AppError(kernelErrors.malformed_json, { detail: 'The body is not valid UTF-8.' })
  }
  try {
    return parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch (error) {
    const detail = /prototype/i.test((error as Error).message)
      ? 'The keys __proto__ and constructor are not allowed.'
      : 'The body is not valid JSON.'
    throw new AppError(kernelErrors.malformed_json, { detail })
  }
}

/** Whether brackets outside of strings nest too deeply; checked before the recursive parser runs. */
function isTooDeep(bytes: Buffer): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inString) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) return true
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
  return false
}
