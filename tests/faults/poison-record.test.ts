// Records on clicks.raw that are no clicks, as a broken or foreign producer may write them: they end
// on clicks.dlq with their bytes, and nothing stops: not judging, not the archive, not sealing.
import { randomBytes } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { encodeRawClick } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { type DeadLetter, topics } from '#schemas/topics.ts'
import { naiveByHour, readRawClicks, readTopic, viewsByHour } from '../support/conservation.ts'
import { scratchDir } from '../support/contract.ts'
import { startLayers } from '../support/layers.ts'
import { randomClicks, seed } from '../support/random-clicks.ts'

const start = Date.UTC(2026, 2, 1, 10)
/** Later than any Date can say, yet a safe integer. */
const beyondDates = 8.64e15 + 1

function goodClicks(salt: string, from: number): RawClick[] {
  const clicks = fc.sample(randomClicks({ spanMs: hourMs, ids: 1_000, max: 50 }), {
    numRuns: 10,
    seed,
  })
  return clicks.flat().map((click, i) => ({
    ...click,
    event_id: `${salt}-${i}`,
    event_time: from + click.event_time,
    received_time: from + click.event_time,
  }))
}

test('poison on clicks.raw ends on clicks.dlq with its bytes, and nothing stops', async (t) => {
  t.log(`seed ${seed}`)
  const layers = await startLayers({ CLICKLEDGER_DATA_DIR: scratchDir(t) }, start + 60_000)
  t.teardown(() => layers.close())
  const good = goodClicks('before', start)
  const [click] = good
  if (!click) return t.fail('no click made')
  const whole = encodeRawClick(click)
  const framed = (id: number) => Buffer.from([0, 0, 0, 0, id])
  const poison: Record<string, Uint8Array> = {
    empty: Buffer.alloc(0),
    'one zero byte': Buffer.alloc(1),
    'random bytes': Buffer.concat([Buffer.from([0xff]), randomBytes(300)]),
    text: Buffer.from('{"event_id":"no Avro"}'),
    'unknown schema': Buffer.concat([framed(99), whole.subarray(5)]),
    'no body': framed(1),
    'cut short': whole.subarray(0, whole.length - 3),
    'bytes behind the end': Buffer.concat([whole, Buffer.from([1, 2, 3])]),
    'a length that is a lie': Buffer.concat([framed(1), Buffer.alloc(20, 0xff)]),
    'no event id': encodeRawClick({ ...click, event_id: '' }),
    'a time that no Date has': encodeRawClick({ ...click, event_time: beyondDates }),
    'a time before all time': encodeRawClick({ ...click, event_time: -beyondDates }),
    'a receipt that no Date has': encodeRawClick({ ...click, received_time: beyondDates }),
  }
  await layers.append(good)
  for (const value of Object.values(poison)) {
    await layers.log.append(topics.raw.name, [{ key: 'ad-1:0', value, timestamp: start }])
  }
  await layers.append(goodClicks('after', start))
  await layers.judged()

  const letters = (await readTopic(layers.log, topics.deadLetters.name)).map(
    ({ value }) => JSON.parse(Buffer.from(value).toString('utf8')) as DeadLetter,
  )
  const found = letters.map(({ value }) => value).sort()
  const sent = Object.entries(poison).map(([name, value]) => {
    const text = Buffer.from(value).toString('base64')
    t.true(found.includes(text), `dead-lettered: ${name}`)
    return text
  })
  t.deepEqual(found, sent.sort())
  t.true(letters.every(({ error, topic }) => error !== '' && topic === topics.raw.name))

  layers.clock.advance(3 * hourMs)
  await layers.sealed(start + 2 * hourMs)
  const range = { start: start - hourMs, end: start + 2 * hourMs, boundary: start + 2 * hourMs }
  t.deepEqual(
    await viewsByHour(layers.olap, range),
    naiveByHour(await readRawClicks(layers.log)),
    'batch has the good clicks, and only these',
  )
})
