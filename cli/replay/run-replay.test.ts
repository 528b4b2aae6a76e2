import test from 'ava'
import { createApi } from '../api.ts'
import { openInput } from '../import/read-lines.ts'
import { createProgress } from '../progress.ts'
import { startFake } from '../testing/fake-instance.ts'
import { temporaryFile } from '../testing/files.ts'
import { clickRequest, runReplay } from './run-replay.ts'

test('clicks are sent in the order of their times, time-compressed', async (t) => {
  const fake = await startFake(t)
  const start = 1_700_000_000_000
  const seconds = [50, 10, 0, 30, 20, 40]
  const rows = seconds.map((s) => ({ ad_id: `ad-${s}`, timestamp_ms: start + s * 1000 }))
  const file = temporaryFile(t, 'c.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
  const summary = await runReplay({
    input: await openInput(file),
    mapping: undefined,
    api: createApi(fake.url, fake.key),
    ingestUrl: fake.url,
    speed: 100,
    limit: 5,
    createAds: true,
    advertiserId: 'acme',
    progress: createProgress('replay', 'clicks', { write: () => true }),
  })
  const clicks = fake.hits.filter((hit) => hit.path.startsWith('/click/'))
  t.deepEqual(
    clicks.map((hit) => hit.path),
    [0, 10, 20, 30, 40].map((s) => `/click/ad-${s}`),
  )
  t.like(summary, { read: 6, unusable: 0, sent: 5, accepted: 5, failed: {} })
  t.true(summary.seconds >= 0.4, 'forty seconds at speed 100')
})

test('a click becomes the request that a browser would send', (t) => {
  const request = clickRequest({
    ad_id: 'a:1',
    timestamp_ms: 1,
    publisher_id: 'p',
    user_id: 'u 1',
    ip_address: '1.2.3.4',
    user_agent: 'Агент\n1',
    referrer_url: 'https://x.example/',
  })
  t.is(request.path, '/click/a%3A1?publisher_id=p&user_id=u+1')
  t.is(request.headers['x-forwarded-for'], '1.2.3.4')
  t.is(Buffer.from(request.headers['user-agent'] ?? '', 'latin1').toString('utf8'), 'Агент 1')
})
