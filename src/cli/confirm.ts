import { createInterface } from 'node:readline/promises'

/** Asks at the terminal; only `yes` is one. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await terminal.question(`${question} Type "yes": `)).trim().toLowerCase() === 'yes'
  } finally {
    terminal.close()
  }
}
