import { SECOND } from '../../kernel/lib/clock.ts'
import { type AttemptPolicy, delayAfter, type WindowPolicy } from './policies.ts'

/** Where a caller stands with a limit: `remaining` tries, and in how many milliseconds there are more. */
export interface Standing {
  policy: AttemptPolicy | WindowPolicy
  remaining: number
  resetIn?: number
}

/** `RateLimit-Policy` and `RateLimit`, by draft-ietf-httpapi-ratelimit-headers-10. */
export function rateLimitHeaders(standings: Standing[]): Record<string, string> {
  if (standings.length === 0) return {}
  return {
    'ratelimit-policy': standings.map(({ policy }) => `"${policy.name}"${quotaOf(policy)}`).join(', '),
    ratelimit: standings
      .map(({ policy, remaining, resetIn }) => {
        const reset = resetIn === undefined || resetIn === 0 ? '' : `;t=${seconds(resetIn)}`
        return `"${policy.name}";r=${remaining}${reset}`
      })
      .join(', '),
  }
}

/** Where somebody stands after so many failures, of which the last was `ago` milliseconds ago. */
export function standingAfter(failures: number, policy: AttemptPolicy, ago = 0): Standing {
  const resetIn = Math.max(0, Math.min(delayAfter(failures, policy), policy.longest) - ago)
  return { policy, remaining: Math.max(0, policy.free - failures), resetIn }
}

/** Growing delays have no window that could be named. */
const quotaOf = (policy: AttemptPolicy | WindowPolicy): string =>
  'quota' in policy ? `;q=${policy.quota};w=${seconds(policy.window)}` : `;q=${policy.free}`

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / SECOND)
