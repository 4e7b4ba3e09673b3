import Type, { type Static } from 'typebox'
import { Email, Id, Locale, Nullable, Strict, Time, Untouched } from '../../kernel/http/schemas.ts'
import { NewPassword } from '../credentials/credentials.schemas.ts'

export const Role = Type.Unsafe<'user' | 'admin'>({ type: 'string', title: 'Role', enum: ['user', 'admin'] })
export const PersonName = Type.String({
  title: 'PersonName',
  maxLength: 100,
  // Any script, at least one visible character, no control characters and no line or direction overrides.
  // The lookahead avoids adjacent classes over the same letters, which would take quadratic time (ASVS 1.3.12).
  pattern: '^(?![\\s\\p{C}]*$)[^\\p{Cc}\\p{Cs}\\u2028-\\u202E\\u2066-\\u2069]*$',
  description: 'In any script, without control characters.',
  examples: ['Анна Каренина'],
})

const properties = {
  id: Id,
  email: Email,
  name: PersonName,
  role: Role,
  is_active: Type.Boolean({ description: 'Inactive users are signed out and cannot sign in.' }),
  email_verified: Type.Boolean(),
  locale: Locale,
  created_at: Time,
  updated_at: Time,
  last_login_at: Nullable(Time),
}

/** A user in responses. No other data of a user is returned (ASVS 15.3.1). */
export const User = Strict(properties, { $id: 'User' })
export type User = Static<typeof User>
export const UserRef = Type.Unsafe<User>({ $ref: 'User#' })
export const userProperties = properties

export const CreateUser = Strict(
  {
    email: Email,
    name: PersonName,
    password: Type.Optional(NewPassword),
    role: Type.Optional(Role),
    is_active: Type.Optional(Type.Boolean()),
    email_verified: Type.Optional(Type.Boolean()),
    locale: Type.Optional(Locale),
  },
  { title: 'CreateUser', examples: [{ email: 'boris@example.org', name: 'Борис Годунов', locale: 'ru' }] },
)
export type CreateUser = Static<typeof CreateUser>

export const UpdateUser = Strict(
  {
    email: Untouched(Email),
    name: Untouched(PersonName),
    role: Untouched(Role),
    is_active: Untouched(Type.Boolean()),
    email_verified: Untouched(Type.Boolean()),
    locale: Untouched(Locale),
  },
  {
    title: 'UpdateUser',
    description: 'Fields that are `null` or absent stay unchanged.',
    examples: [{ name: null, email: null, role: null, is_active: null, email_verified: null, locale: null }],
  },
)
export type UpdateUser = Static<typeof UpdateUser>

/** What a list is like where the request does not say. */
export const LIST_DEFAULTS = { sort: '-created_at', limit: 20, page: 1 } as const

export const SORTS = ['created_at', 'email', 'name', 'last_login_at'] as const
export type Sort = (typeof SORTS)[number]

export const ListUsers = Strict({
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: LIST_DEFAULTS.page })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: LIST_DEFAULTS.limit })),
  cursor: Type.Optional(
    Type.String({
      maxLength: 1000,
      description:
        'The `next_cursor` of the previous page. Use it instead of `page`: it is as fast on the last page as on the first.',
    }),
  ),
  q: Type.Optional(
    Type.String({
      maxLength: 100,
      pattern: '^\\P{C}*$',
      description:
        'Part of the e-mail or the name, case-insensitive. One or two characters match only the start of the e-mail or of a word of the name.',
    }),
  ),
  role: Type.Optional(Role),
  is_active: Type.Optional(Type.Boolean()),
  email_verified: Type.Optional(Type.Boolean()),
  created_from: Type.Optional(Type.String({ format: 'date-time', description: 'Created at this time or later' })),
  created_to: Type.Optional(Type.String({ format: 'date-time', description: 'Created before this time' })),
  sort: Type.Optional(
    Type.Unsafe<Sort | `-${Sort}`>({
      type: 'string',
      title: 'UserSort',
      enum: SORTS.flatMap((sort) => [sort, `-${sort}`]),
      default: LIST_DEFAULTS.sort,
    }),
  ),
})
export type ListUsers = Static<typeof ListUsers>

export const UserList = Strict(
  {
    users: Type.Array(UserRef),
    total: Type.Integer({
      description:
        'Exact up to 10,000. Above that, a count at most a minute old; with `q`, 10,000 means "at least 10,000".',
    }),
    page: Type.Integer({ examples: [1] }),
    limit: Type.Integer({ examples: [20] }),
    next_cursor: Nullable(
      Type.String({ description: 'The `cursor` of the next page; `null` on the last page', examples: [null] }),
    ),
  },
  { title: 'UserList' },
)
