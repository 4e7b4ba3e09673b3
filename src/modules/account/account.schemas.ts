import type { Static } from 'typebox'
import { Locale, PersonName, Strict, Untouched } from '../../kernel/http/schemas.ts'

export const UpdateProfile = Strict({ name: Untouched(PersonName), locale: Untouched(Locale) })
export type UpdateProfile = Static<typeof UpdateProfile>
