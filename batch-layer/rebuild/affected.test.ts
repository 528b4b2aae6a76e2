// Late clicks: every hour whose verdicts they change is found. Finding more is waste, finding fewer
// is a wrong bill.
import { DuckDBInstance } from '@duckdb/node-api'
import test from 'ava'
import fc from 'fast-check'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { columnDefinitions } from '#schemas/columns.ts'
import { type ArchivedClick, archivedFields } from '#schemas/fields.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { randomClicks, seed } from '../../tests/support/random-clicks.ts'
import { affectedHoursSql } from './affected-sql.ts'

const literal = (click: ArchivedClick) =>
  `(${archivedFields.map((f) => (f.type === 'string' ? `'${click[f.name]}'` : click[f.name])).join(', ')})`

/** Hours of clicks whose verdict differs once the fresh clicks are known. */
function changedHours(before: readonly ArchivedClick[], fresh: readonly ArchivedClick[]): number[] {
  const old = judgeNaively(defaultRuleSet, before)
  const now = judgeNaively(defaultRuleSet, [...before, ...fresh])
  const hours = before
    .filter((_, i) => old[i]?.status !== now[i]?.status || old[i]?.rule !== now[i]?.rule)
    .map((click) => hourOf(click.event_time))
  return [...new Set(hours)]
}

test('every hour that late clicks change is named', async (t) => {
  const db = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await db.connect()
  t.teardown(() => {
    connection.closeSync()
    db.closeSync()
  })
  const fill = async (table: string, clicks: readonly ArchivedClick[]) => {
    await connection.run(`CREATE OR REPLACE TABLE ${table} (${columnDefinitions(archivedFields)})`)
    if (clicks.length === 0) return
    await connection.run(`INSERT INTO ${table} VALUES ${clicks.map(literal).join(', ')}`)
  }
  // Thirty hours, a third of an hour apart at least: what repeats does so across hours.
  const clicks = randomClicks({ spanMs: 90, ids: 25, max: 40 }).map((list) =>
    list.map((click) => ({ ...click, event_time: click.event_time * (hourMs / 3) })),
  )
  let changes = 0
  await fc.assert(
    fc.asyncProperty(clicks, clicks, async (before, late) => {
      const fresh = late.slice(0, 4).map((click, i) => ({ ...click, raw_offset: 1_000 + i }))
      await fill('fresh', fresh)
      await fill('clicks', [...before, ...fresh])
      const found = await connection.runAndReadAll(affectedHoursSql(defaultRuleSet))
      const named = new Set(found.getRows().map(([hour]) => Number(hour)))
      const changed = changedHours(before, fresh)
      changes += changed.length
      t.deepEqual(
        changed.filter((hour) => !named.has(hour)),
        [],
      )
    }),
    { seed, numRuns: 150 },
  )
  t.log(`seed ${seed}, ${changes} hours changed`)
  t.true(changes > 0, 'some late clicks change something')
})
