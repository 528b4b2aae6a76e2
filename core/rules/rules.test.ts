// The interpreters against the meaning: streaming = naive on ordered input with unlimited history,
// set-based = naive on any input, in one piece or hour by hour.

import { DuckDBInstance } from '@duckdb/node-api'
import test from 'ava'
import fc from 'fast-check'
import { columnDefinitions } from '#schemas/columns.ts'
import { type ArchivedClick, archivedFields } from '#schemas/fields.ts'
import { clickWith, randomClicks, randomRuleSet, seed } from '../../tests/support/random-clicks.ts'
import { compareClicks, judgeNaively } from './naive.ts'
import { defaultRuleSet, lookBackMs, type RuleSet, type Verdict, validVerdict } from './rule-set.ts'
import {
  compileRuleSet,
  compileRuleSetInSlices,
  copyRank,
  duckDbMacroSql,
  type Slice,
  type TimeRange,
} from './set-based.ts'
import { createStreamingJudge } from './streaming.ts'

const unlimited = { historyMs: Number.MAX_SAFE_INTEGER, timesMax: 1e6 }

test.before((t) => t.log(`seed ${seed}`))

function judgeStream(ruleSet: RuleSet, clicks: readonly ArchivedClick[]) {
  const judge = createStreamingJudge(ruleSet, unlimited)
  return clicks.map((click) => judge.judge(click, click.event_time))
}

/** Verdicts by position `partition:offset`; copies are undefined, valid clicks are present. */
async function judgeInSql(
  ruleSet: RuleSet,
  clicks: readonly ArchivedClick[],
  ranges: readonly TimeRange[],
  slices: readonly Slice[] = [],
): Promise<(Verdict | undefined)[]> {
  const db = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await db.connect()
  try {
    await connection.run(duckDbMacroSql)
    await connection.run(`CREATE TABLE archive (${columnDefinitions(archivedFields)})`)
    const appender = await connection.createAppender('archive')
    for (const click of clicks) {
      for (const field of archivedFields) {
        const value = click[field.name]
        if (field.type === 'string') appender.appendVarchar(value as string)
        else if (field.type === 'int') appender.appendInteger(value as number)
        else appender.appendBigInt(BigInt(value as number))
      }
      appender.endRow()
    }
    appender.closeSync()
    const ranks = new Map<string, number>()
    for (const range of ranges) {
      // What lies outside the look-back must not matter.
      await connection.run(
        `CREATE OR REPLACE VIEW clicks AS SELECT * FROM archive WHERE event_time > ${range.start - lookBackMs(ruleSet)} AND event_time < ${range.end}`,
      )
      await connection.run('DROP TABLE IF EXISTS verdicts')
      const statements = compileRuleSetInSlices(ruleSet, range, slices)
      if (slices.length > 0) for (const sql of statements) await connection.run(sql)
      const found = await connection.runAndReadAll(
        slices.length > 0 ? 'FROM verdicts' : compileRuleSet(ruleSet, range),
      )
      for (const [partition, offset, rank] of found.getRows()) {
        ranks.set(`${partition}:${offset}`, Number(rank))
      }
    }
    return clicks.map((click) => {
      const rank = ranks.get(`${click.raw_partition}:${click.raw_offset}`)
      if (rank === copyRank) return undefined
      const rule = rank === undefined ? undefined : ruleSet.rules[rank - 1]
      return rule ? { status: rule.status, rule: rule.id } : validVerdict
    })
  } finally {
    connection.closeSync()
    db.closeSync()
  }
}

test('streaming equals naive on ordered input with unlimited history', (t) => {
  const clicks = randomClicks({ spanMs: 400, ids: 60, max: 80 })
  fc.assert(
    fc.property(clicks, randomRuleSet(120), (unordered, ruleSet) => {
      const ordered = [...unordered].sort(compareClicks)
      t.deepEqual(judgeStream(ruleSet, ordered), judgeNaively(ruleSet, ordered))
    }),
    { seed, numRuns: 400 },
  )
})

test('set-based equals naive on any input, whole and hour by hour', async (t) => {
  const clicks = randomClicks({ spanMs: 400, ids: 60, max: 80 })
  await fc.assert(
    fc.asyncProperty(
      clicks,
      randomRuleSet(300),
      fc.integer({ min: 20, max: 200 }),
      async (some, ruleSet, step) => {
        const expected = judgeNaively(ruleSet, some)
        t.deepEqual(await judgeInSql(ruleSet, some, [{ start: 0, end: 400 }]), expected)
        const pieces: TimeRange[] = []
        for (let start = 0; start < 400; start += step) pieces.push({ start, end: start + step })
        t.deepEqual(await judgeInSql(ruleSet, some, pieces), expected)
      },
    ),
    { seed, numRuns: 60 },
  )
})

test('judged one slice of the keys after the other, it is the same', async (t) => {
  const clicks = randomClicks({ spanMs: 400, ids: 60, max: 80 })
  await fc.assert(
    fc.asyncProperty(
      clicks,
      randomRuleSet(300),
      fc.integer({ min: 1, max: 4 }),
      async (some, ruleSet, count) => {
        const slices = Array.from(
          { length: count },
          (_, i): Slice =>
            (key) =>
              `hash(${key.join(', ')}) % ${count} = ${i}`,
        )
        const pieces = [0, 100, 200, 300].map((start) => ({ start, end: start + 100 }))
        t.deepEqual(await judgeInSql(ruleSet, some, pieces, slices), judgeNaively(ruleSet, some))
      },
    ),
    { seed, numRuns: 40 },
  )
})

test('copies further apart than the identity window, across look-backs', async (t) => {
  const day = 86_400_000
  const clicks = randomClicks({ spanMs: 400, ids: 12, max: 40 })
  await fc.assert(
    fc.asyncProperty(clicks, async (some) => {
      // Spread over eight days, so that windows of a day begin and end inside.
      const spread = some.map((c) => ({ ...c, event_time: c.event_time * (day / 50) }))
      const pieces = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => ({ start: n * day, end: (n + 1) * day }))
      t.deepEqual(
        await judgeInSql(defaultRuleSet, spread, pieces),
        judgeNaively(defaultRuleSet, spread),
      )
    }),
    { seed, numRuns: 40 },
  )
})

test('the default rules say what they mean', (t) => {
  const base = { advertiser_id: 'a', ad_id: 'ad', visitor: 'v', ip_hash: 'ip' }
  const at = (event_time: number, n: number, more: Partial<ArchivedClick> = {}) =>
    clickWith({ ...base, event_time, event_id: `id-${n}`, raw_offset: n, ...more })
  const verdicts = judgeNaively(defaultRuleSet, [
    at(0, 1),
    at(9_999, 2),
    at(19_999, 3),
    at(20_000, 4, { advertiser_id: 'b' }),
    at(30_000, 5, { marks: 'prefetch' }),
    at(30_001, 6),
    at(0, 1),
  ])
  t.deepEqual(
    verdicts.map((v) => (v ? v.rule || v.status : 'copy')),
    ['valid', 'double-click', 'valid', 'valid', 'prefetch', 'valid', 'copy'],
  )
})
