/** Invalid settings; `faults` has a message for each. */
export class ConfigError extends Error {
  readonly faults: string[]
  constructor(faults: string[]) {
    super(
      faults.length === 1 ? String(faults[0]) : `${faults.length} errors:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** Decodes a secret: base64url of at least 32 bytes. Throws an Error that says how to generate one. */
export function parseSecret(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text) || bytes.length < 32)
    throw new Error(
      'must be at least 32 random bytes in base64url (43 characters); generate one with: node -p "crypto.randomBytes(32).toString(\'base64url\')"',
    )
  return bytes
}
