/** How many rows the bare selects choose from; few enough to lie in every cache. */
export const people = 10_000

/** One row as the bare selects store and answer it: of the size of a user of the service. */
export function person(id: number) {
  const time = new Date(1_700_000_000_000 + id * 1000).toISOString()
  return {
    id,
    email: `person.${id}@example.com`,
    name: `Имя Фамилия ${id}`,
    role: 'user',
    locale: 'ru',
    created_at: time,
    updated_at: time,
  }
}

export const columns = Object.keys(person(0)) as (keyof ReturnType<typeof person>)[]
