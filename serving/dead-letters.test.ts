// Dead letters through the API: what operators see, and what a replay answers.
import test from 'ava'
import { encodeRawClick } from '#schemas/avro.ts'
import { topics } from '#schemas/topics.ts'
import { readRawClicks } from '../tests/support/conservation.ts'
import { clickWith } from '../tests/support/random-clicks.ts'
import { openFixture, startNow } from './testing/fixture.ts'

const url = '/v1/dead-letters'

async function withLetters(t: Parameters<typeof openFixture>[0]) {
  const fixture = await openFixture(t)
  const click = clickWith({ event_id: 'e-1', ad_id: 'ad-1', event_time: 1, received_time: 1 })
  for (const [i, value] of [encodeRawClick(click), Buffer.from('nonsense')].entries()) {
    const letter = {
      ...{ topic: topics.raw.name, partition: 1, offset: i, error: `why ${i}`, time: startNow + i },
      value: value.toString('base64'),
    }
    const record = { key: 'k', value: Buffer.from(JSON.stringify(letter)), timestamp: startNow + i }
    await fixture.log.append(topics.deadLetters.name, [record])
  }
  return fixture
}

test('operators list dead letters page by page, and nobody else does', async (t) => {
  const { inject } = await withLetters(t)
  const first = (await inject({ url: `${url}?limit=1` }, 'engineer')).json()
  t.like(first.data[0], {
    topic: 'clicks.raw',
    partition: 1,
    offset: 0,
    reason: 'why 0',
    replayed_at: null,
  })
  const second = (await inject({ url: `${url}?limit=1&cursor=${first.next}` }, 'engineer')).json()
  t.like(second, { next: null, data: [{ reason: 'why 1' }] })
  t.is(Buffer.from(second.data[0].bytes, 'base64').toString(), 'nonsense')
  const one = await inject({ url: `${url}/${second.data[0].id}` }, 'engineer')
  t.deepEqual(one.json(), second.data[0])
  t.is((await inject({ url: `${url}/1-999` }, 'engineer')).statusCode, 404)
  t.is((await inject({ url }, 'advertiser')).statusCode, 403)
  t.is((await inject({ url: `${url}?cursor=nonsense` }, 'engineer')).statusCode, 400)
})

test('a replay says what became of each, writes clicks once, and is audited', async (t) => {
  const { inject, log, catalogue } = await withLetters(t)
  const replay = (payload: object) =>
    inject({ method: 'POST', url: `${url}/replay`, payload }, 'admin')
  const { data, next } = (await replay({ all: true })).json()
  t.is(next, null)
  t.deepEqual(
    data.map(({ state }: { state: string }) => state),
    ['replayed', 'undecodable'],
  )
  t.regex(data[1].reason, /magic byte/)
  const again = (await replay({ ids: [data[0].id, data[0].id, '0-77'] })).json()
  t.deepEqual(again.data, [
    { id: data[0].id, state: 'already-replayed' },
    { id: '0-77', state: 'not-found' },
  ])
  t.deepEqual(
    (await readRawClicks(log)).map(({ event_id }) => event_id),
    ['e-1'],
  )
  const rows = await catalogue.query<{ detail: string }>(
    "SELECT detail FROM audit_log WHERE action = 'dead-letters.replay'",
    [],
  )
  // Both are of the same instant: their order says nothing.
  const replayed = rows.map(({ detail }) => JSON.parse(detail).replayed)
  t.deepEqual(
    replayed.sort((one, other) => other.length - one.length),
    [[data[0].id], []],
  )
  for (const body of [{}, { ids: [], all: true }, { ids: ['3-17'], all: true }, { ids: ['x'] }]) {
    t.is((await replay(body)).statusCode, 400, JSON.stringify(body))
  }
})
