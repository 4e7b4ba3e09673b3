import { SECOND } from '../../kernel/lib/clock.ts'
import { type AttemptPolicy, delayAfter, type WindowPolicy } from './policies.ts'

/** The state of a limit: the remaining attempts, and the milliseconds until there are more. */
export interface LimitState {
  policy: AttemptPolicy | WindowPolicy
  remaining: number
  resetIn?: number
}

/** Returns `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10). */
export function rateLimitHeaders(states: LimitState[]): Record<string, string> {
  if (states.length === 0) return {}
  return {
    'ratelimit-policy': states.map(({ policy }) => `"${policy.name}"${quotaOf(policy)}`).join(', '),
    ratelimit: states
      .map(({ policy, remaining, resetIn }) => {
        const reset = resetIn === undefined || resetIn === 0 ? '' : `;t=${seconds(resetIn)}`
        return `"${policy.name}";r=${remaining}${reset}`
      })
      .join(', '),
  }
}

/** Returns the state of a limit after failures in a row, the last of them `ago` milliseconds ago. */
export function limitStateAfter(failures: number, policy: AttemptPolicy, ago = 0): LimitState {
  const resetIn = Math.max(0, Math.min(delayAfter(failures, policy), policy.maxDelay) - ago)
  return { policy, remaining: Math.max(0, policy.freeFailures - failures), resetIn }
}

/** Policies with growing delays have no window. */
const quotaOf = (policy: AttemptPolicy | WindowPolicy): string =>
  'quota' in policy ? `;q=${policy.quota};w=${seconds(policy.window)}` : `;q=${policy.freeFailures}`

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / SECOND)
