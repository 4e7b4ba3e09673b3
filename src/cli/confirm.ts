import { createInterface } from 'node:readline/promises'

/** Asks for confirmation at the terminal. Throws an Error with code `NOT_CONFIRMED` unless the answer is `yes`. */
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
