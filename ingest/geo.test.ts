import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openGeography } from './geo.ts'

const cityDatabase = fileURLToPath(
  new URL('../../shared/data/maxmind-test/GeoLite2-City-Test.mmdb', import.meta.url),
)

test('the bundled database knows countries', (t) => {
  const lookup = openGeography('')
  t.deepEqual(lookup('8.8.8.8'), { country: 'US', region: '', city: '' })
  t.is(lookup('2001:4860::1').country.length, 2)
  t.deepEqual(lookup('127.0.0.1'), { country: '', region: '', city: '' })
})

test("MaxMind's layout: country, region, city", (t) => {
  if (!existsSync(cityDatabase)) {
    t.log('skipped: ../shared/data/maxmind-test is not there')
    return t.pass()
  }
  const lookup = openGeography(cityDatabase)
  t.deepEqual(lookup('81.2.69.160'), { country: 'GB', region: 'GB-ENG', city: 'London' })
  t.is(lookup('10.0.0.1').city, '')
})

test('a file that is no database is named', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-geo-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'x.mmdb')
  writeFileSync(file, 'no database')
  for (const path of [file, `${file}.missing`]) {
    const error = t.throws(() => openGeography(path), { code: 'invalid-settings' })
    t.true(error?.message.includes(path))
  }
})
