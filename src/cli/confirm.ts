import { createInterface } from 'node:readline/promises'

/** Asks at the terminal; only `yes` is one. Anything else ends the command as failed, since it was not done. */
export async function confirm(question: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${question} Type "yes": `)
    if (answer.trim().toLowerCase() !== 'yes')
      throw Object.assign(new Error('nothing was changed'), { code: 'NOT_CONFIRMED' })
  } finally {
    terminal.close()
  }
}
