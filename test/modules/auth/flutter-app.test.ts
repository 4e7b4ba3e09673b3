import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, MINUTE } from '../../../src/kernel/lib/clock.ts'
import { createAdmin, describeOnEachEngine, PASSWORD, useApp } from '../../support/app.ts'
import { createFlutterApp, Lost, type Storage } from '../../support/flutter-app.ts'

const empty = (): Storage => ({ access: null, refresh: null })

describeOnEachEngine('The published Flutter app', (engine) => {
  const app = useApp(engine)
  let people = 0
  const newcomer = () => `flutter-${++people}@example.org`

  /** An app whose person has an account and is signed in. */
  async function signedIn(network?: (path: string) => void, storage = empty()) {
    const flutter = createFlutterApp(app.api, storage, network)
    const email = newcomer()
    await flutter.register('Аня', email, PASSWORD)
    const user = await flutter.login(email, PASSWORD)
    return { flutter, user, email, storage }
  }

  test('registers, signs in, shows and changes the profile, and signs out', async () => {
    const { flutter, user, storage } = await signedIn()
    assert.equal((await flutter.me()).id, user.id)
    const changed = await flutter.updateProfile(user.id, { name: 'Анна' })
    assert.deepEqual([changed.name, changed.email, changed.isActive], ['Анна', user.email, true])
    await flutter.logout()
    assert.deepEqual(storage, empty())
  })

  test('signs in, registers and refreshes with a stale token in its header', async () => {
    const { flutter, email, storage } = await signedIn()
    storage.access = 'stale.token.here'
    await flutter.register('Пётр', newcomer(), PASSWORD)
    await flutter.refresh()
    storage.access = 'stale.token.here'
    assert.equal((await flutter.login(email, PASSWORD)).email, email)
  })

  test('continues after its access token has expired, without a new sign-in', async () => {
    const { flutter, user } = await signedIn()
    for (let i = 0; i < 3; i++) {
      app.clock.advance(16 * MINUTE)
      assert.equal((await flutter.me()).id, user.id)
    }
  })

  test('refreshes in several isolates in parallel with one token', async () => {
    const { flutter, user, storage } = await signedIn()
    const isolates = [flutter, ...Array.from({ length: 5 }, () => createFlutterApp(app.api, storage))]
    for (let i = 0; i < 3; i++) {
      app.clock.advance(16 * MINUTE)
      for (const { id } of await Promise.all(isolates.map((isolate) => isolate.me()))) assert.equal(id, user.id)
    }
  })

  test('refreshes in parallel in several tabs without shared storage', async () => {
    const { flutter, user, storage } = await signedIn()
    const tabs = [flutter, ...Array.from({ length: 3 }, () => createFlutterApp(app.api, { ...storage }))]
    for (let i = 0; i < 3; i++) {
      app.clock.advance(16 * MINUTE)
      for (const { id } of await Promise.all(tabs.map((tab) => tab.me()))) assert.equal(id, user.id)
    }
  })

  test('stays signed in when it is killed repeatedly before it stores the new pair', async () => {
    let kills = 0
    const { flutter, user } = await signedIn((path) => {
      if (path === '/auth/refresh' && kills++ < 5) throw new Lost()
    })
    for (let day = 0; day < 5; day++) {
      app.clock.advance(5 * DAY)
      await assert.rejects(flutter.me(), Lost)
    }
    assert.equal((await flutter.me()).id, user.id)
    assert.equal(kills, 6)
  })

  test('shows Russian sentences', async () => {
    const { flutter, email } = await signedIn()
    await assert.rejects(flutter.login(email, 'не тот пароль'), {
      message: 'Неверный e-mail или пароль. Проверьте их и попробуйте ещё раз.',
      cause: 401,
    })
    await assert.rejects(flutter.register('Аня', email, PASSWORD), {
      message: 'Этот e-mail уже занят. Укажите другой.',
      cause: 409,
    })
  })

  test('drops its tokens only when the session has ended', async () => {
    const { flutter, storage, user } = await signedIn()
    await assert.rejects(flutter.updateProfile(user.id, { name: ' ' }), { cause: 400 })
    assert.ok(storage.refresh)
    const elsewhere = createFlutterApp(app.api, { ...storage })
    await elsewhere.logout()
    await assert.rejects(flutter.me(), { message: 'Сеанс завершён. Войдите в аккаунт ещё раз.', cause: 401 })
    assert.deepEqual(storage, empty())
  })

  test('lists and deletes users for an administrator, with a content type but no body on DELETE', async () => {
    const admin = await createAdmin(app.services)
    const flutter = createFlutterApp(app.api, empty())
    await flutter.login(admin.email, PASSWORD)
    const { user } = await signedIn()
    const list = await flutter.users(`q=${user.email}&page=1&limit=5`)
    assert.deepEqual([list.total, list.users[0].id], [1, user.id])
    assert.equal(await flutter.deleteUser(user.id), 'Пользователь удалён.')
    assert.equal((await flutter.users(`q=${user.email}`)).total, 0)
  })
})
