// Dead letters as they are listed and replayed, run unchanged over every event log.
import { randomUUID } from 'node:crypto'
import type { ExecutionContext, TestFn } from 'ava'
import { encodeRawClick } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'
import { type DeadLetter, topics } from '#schemas/topics.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { readRawClicks } from '../../tests/support/conservation.ts'
import { clickWith } from '../../tests/support/random-clicks.ts'
import type { EventLog } from '../event-log/port.ts'
import {
  deadLettersSince,
  findDeadLetter,
  listDeadLetters,
  replayDeadLetters,
  type StoredDeadLetter,
} from './dead-letters.ts'

const start = Date.UTC(2026, 2, 1, 10)
const letters = 23

function letterOf(value: Uint8Array, i: number): DeadLetter {
  const bytes = Buffer.from(value).toString('base64')
  return {
    topic: topics.raw.name,
    partition: 0,
    offset: i,
    error: 'unknown schema id 2',
    value: bytes,
    time: start + i,
  }
}

/** Every third one is no click, whatever reads it. */
function makeLetters(): { clicks: RawClick[]; letters: DeadLetter[] } {
  const clicks = Array.from({ length: letters }, (_, i) =>
    clickWith({
      event_id: randomUUID(),
      ad_id: `ad-${i % 4}`,
      event_time: start,
      received_time: start,
    }),
  )
  const bytes = clicks.map((click, i) =>
    i % 3 === 0 ? Buffer.from(`no click ${i}`) : encodeRawClick(click),
  )
  return { clicks: clicks.filter((_, i) => i % 3 !== 0), letters: bytes.map(letterOf) }
}

export function testDeadLetters(
  test: TestFn,
  name: string,
  open: (t: ExecutionContext) => Promise<EventLog>,
): void {
  const setUp = async (t: ExecutionContext) => {
    const log = await open(t)
    t.teardown(() => log.close())
    await log.ensureTopics(Object.values(topics), 3)
    const made = makeLetters()
    for (const letter of made.letters) {
      const value = Buffer.from(JSON.stringify(letter))
      await log.append(topics.deadLetters.name, [
        { key: String(letter.offset), value, timestamp: letter.time },
      ])
    }
    const stores = { log, catalogue: await openTestCatalogue(t) }
    const all = async (limit: number) => {
      const found: StoredDeadLetter[] = []
      let positions: readonly number[] = await deadLettersSince(log, 0)
      for (;;) {
        const page = await listDeadLetters(stores, positions, limit)
        found.push(...page.letters)
        positions = page.positions
        if (!page.hasMore) return found
        t.is(page.letters.length, limit)
      }
    }
    return { stores, made, all }
  }

  test(`${name}: pages of dead letters hold each of them once, oldest first`, async (t) => {
    const { made, all, stores } = await setUp(t)
    for (const limit of [1, 5, letters, letters + 1]) {
      const found = await all(limit)
      t.deepEqual(
        found.map(({ id, replayedAt, ...letter }) => letter),
        made.letters,
        `pages of ${limit}`,
      )
    }
    const since = await deadLettersSince(stores.log, start + 10)
    const { letters: newer } = await listDeadLetters(stores, since, letters)
    t.deepEqual(
      newer.map(({ offset }) => offset),
      made.letters.slice(10).map(({ offset }) => offset),
    )
    const [first] = newer
    if (!first) return t.fail('no letter')
    t.deepEqual(await findDeadLetter(stores, first.id), first)
    t.is(await findDeadLetter(stores, '2-999999'), undefined)
    t.is(await findDeadLetter(stores, '99-0'), undefined)
    t.is(await findDeadLetter(stores, 'x'), undefined)
  })

  test(`${name}: a replay writes what is a click by now, once`, async (t) => {
    const { stores, made, all } = await setUp(t)
    const replay = async () =>
      replayDeadLetters(stores, await all(7), { by: 'admin:x', now: start })
    const states = (await replay()).map(({ state }) => state)
    const expected = made.letters.map((_, i) => (i % 3 === 0 ? 'undecodable' : 'replayed'))
    t.deepEqual(states, expected)
    const again = (await replay()).map(({ state }) => state)
    t.deepEqual(
      again,
      expected.map((s) => (s === 'replayed' ? 'already-replayed' : s)),
    )
    const ids = (clicks: readonly RawClick[]) => clicks.map(({ event_id }) => event_id).sort()
    t.deepEqual(ids(await readRawClicks(stores.log)), ids(made.clicks))
    t.true(
      (await all(7)).every(
        ({ replayedAt, offset }) => (replayedAt === null) === (offset % 3 === 0),
      ),
    )
  })

  test(`${name}: a replay that the log refuses is not recorded`, async (t) => {
    const { stores, all } = await setUp(t)
    const failing = { ...stores.log, append: () => Promise.reject(new Error('away')) }
    const found = await all(letters)
    await t.throwsAsync(
      replayDeadLetters({ ...stores, log: failing }, found, { by: 'admin:x', now: start }),
      { code: 'unavailable' },
    )
    t.true((await all(letters)).every(({ replayedAt }) => replayedAt === null))
  })
}
