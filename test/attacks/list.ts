import * as floods from './cases/floods.ts'
import * as headers from './cases/headers.ts'
import * as loginAttempts from './cases/login-attempts.ts'
import * as mail from './cases/mail.ts'
import * as readers from './cases/readers.ts'
import * as rights from './cases/rights.ts'
import * as tokens from './cases/tokens.ts'
import type { Attack } from './target.ts'

/** All attacks; those that need their own server last. */
export const ATTACKS: Attack[] = [rights, mail, loginAttempts, floods, headers, tokens, readers]
  .flatMap((cases) => Object.values(cases))
  .sort((a, b) => Number(Boolean(a.env)) - Number(Boolean(b.env)))
