import Type, { type Static } from 'typebox'
import { Email, Locale, Nullable, Sentence, Strict, Time, Untouched } from '../../kernel/http/schemas.ts'
import type { PersonalData } from '../../kernel/lib/declaration.ts'
import { LinkToken, PASSWORD_EXAMPLE, Password } from '../credentials/credentials.schemas.ts'
import { PersonName, UserRef } from '../users/users.schemas.ts'
import { accountMessages } from './account.messages.ts'

export const UpdateProfile = Strict(
  { name: Untouched(PersonName), locale: Untouched(Locale) },
  { title: 'UpdateProfile', examples: [{ name: null, locale: null }] },
)
export type UpdateProfile = Static<typeof UpdateProfile>

export const ByToken = Strict({ token: LinkToken }, { title: 'ByToken' })
export const ChangeEmail = Strict(
  { new_email: Email, password: Password },
  { title: 'ChangeEmail', examples: [{ new_email: 'anna.new@example.org', password: PASSWORD_EXAMPLE }] },
)
export type ChangeEmail = Static<typeof ChangeEmail>
export const DeleteMe = Strict(
  { password: Password },
  { title: 'DeleteAccount', examples: [{ password: PASSWORD_EXAMPLE }] },
)
export const Deleted = Strict(
  {
    message: Sentence(accountMessages.deletion_requested),
    delete_after: Type.String({
      format: 'date-time',
      description: 'When the data is deleted. Until then, the deletion can be canceled',
      examples: ['2026-12-06T12:00:00.000Z'],
    }),
  },
  { title: 'AccountDeletion' },
)

/** The export of a user: the account and the data that the modules declare. */
export const exportSchema = (lists: Readonly<Record<string, PersonalData>>) =>
  Strict(
    {
      exported_at: Time,
      user: UserRef,
      delete_after: Nullable(Time),
      ...Object.fromEntries(Object.entries(lists).map(([name, { schema }]) => [name, schema])),
    },
    { title: 'Export' },
  )
