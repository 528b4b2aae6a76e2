import test from 'ava'
import { createApiKey, createKeyLookup } from '#platform/api-keys.ts'
import { hourMs } from '#schemas/paths.ts'
import { openTestCatalogue } from '../tests/support/catalogue.ts'
import { failingCatalogue } from '../tests/support/failing-catalogue.ts'
import { guardCatalogue } from './guarded-catalogue.ts'
import { boundary, openFixture, startNow } from './testing/fixture.ts'

const insert = 'INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $1, 1)'
const names = 'SELECT name FROM publishers WHERE name <> $1 ORDER BY name'

test('while the catalogue is away, what was read lately is read from memory, and nothing is written', async (t) => {
  const failing = failingCatalogue(await openTestCatalogue(t))
  let now = 0
  const catalogue = guardCatalogue(failing, () => now)
  await catalogue.query(insert, ['one'])
  t.deepEqual(
    (await catalogue.query(names, ['x'])).map(({ name }) => name),
    ['one'],
  )
  for (const weather of ['refuses', 'hangs'] as const) {
    failing.weather = weather
    t.deepEqual(
      (await catalogue.query(names, ['x'])).map(({ name }) => name),
      ['one'],
    )
    await t.throwsAsync(catalogue.query(names, ['y']), {
      code: 'unavailable',
      message: 'The catalogue does not answer.',
    })
  }
  failing.weather = 'refuses'
  await t.throwsAsync(catalogue.query(insert, ['two']), { code: 'unavailable' })
  await t.throwsAsync(
    catalogue.transaction((tx) => tx.query(insert, ['two'])),
    { code: 'unavailable', message: /ask again/ },
  )
  now = 60_001
  await t.throwsAsync(catalogue.query(names, ['x']), { code: 'unavailable' }, 'not for ever')
  failing.weather = 'fine'
  await catalogue.query(insert, ['two'])
  t.is((await catalogue.query(names, ['x'])).length, 2, 'fresh as soon as it answers')
})

test('faults of the work in a transaction and of the request stay what they are', async (t) => {
  const catalogue = guardCatalogue(await openTestCatalogue(t))
  await t.throwsAsync(
    catalogue.transaction(() => Promise.reject(new TypeError('mine'))),
    { instanceOf: TypeError },
  )
  await t.throwsAsync(catalogue.query(names, ['a\0b']), { code: 'bad-request' })
})

test('known keys stay good while the catalogue is away; unknown ones are not let in', async (t) => {
  const failing = failingCatalogue(await openTestCatalogue(t))
  const key = await createApiKey(failing, 1, { role: 'admin', expiresAt: 5_000 })
  let now = 1
  const lookup = createKeyLookup(failing, () => now)
  t.is((await lookup(key))?.role, 'admin')
  failing.weather = 'refuses'
  t.is((await lookup(key))?.role, 'admin')
  await t.throwsAsync(lookup('another'), { code: 'unavailable' })
  now = 5_000
  t.is(await lookup(key), undefined, 'it ends when it ends, remembered or not')
})

test('reports go on at the last boundary while the catalogue is away', async (t) => {
  let failing: ReturnType<typeof failingCatalogue> | undefined
  const { inject, beat } = await openFixture(t, {
    wrapCatalogue: (catalogue) => {
      failing = failingCatalogue(catalogue)
      return failing
    },
  })
  await beat(startNow, [0])
  const url = `/v1/reports/clicks/timeseries?start_time=${boundaryIso(-2)}&end_time=${boundaryIso(2)}`
  const before = await inject({ url }, 'admin')
  t.is(before.statusCode, 200)
  if (failing) failing.weather = 'refuses'
  const during = await inject({ url }, 'admin')
  t.is(during.statusCode, 200)
  t.is(during.json().meta.boundary, before.json().meta.boundary)
  t.is(
    (
      await inject(
        { url: '/v1/publishers', method: 'POST', payload: { publisher_id: 'p' } },
        'admin',
      )
    ).statusCode,
    503,
  )
})

const boundaryIso = (hours: number) => new Date(boundary + hours * hourMs).toISOString()
