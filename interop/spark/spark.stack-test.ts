// Beyond one machine the same plan runs on Apache Spark: it reads the archive, and the compiled rule
// set, the very text that DuckDB runs, gives the same verdicts and the same minute aggregates there.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { judgedAggregatesSql } from '#core/judged-sql.ts'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import {
  compileRuleSet,
  copyRank,
  duckDbMacroSql,
  ruleSetSteps,
  type TimeRange,
} from '#core/rules/set-based.ts'
import type { RawClick } from '#schemas/fields.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { randomClicks, randomRuleSet, seed } from '../../tests/support/random-clicks.ts'
import { type ArchiveFixture, archiveClicks } from '../archive-fixture.ts'
import {
  archiveRows,
  archiveTypes,
  comparableAggregates,
  expectedAggregates,
  inOrder,
  type Row,
  verdictRows,
  wholeOf,
} from '../expected.ts'
import { clicksOfSomeHours } from '../support.ts'
import { manyClicksRange, writeManyClicks } from './many-clicks.ts'
import { openSpark, type Spark, type SparkView } from './spark.ts'

/** Clicks of the timed run; FIGURES_CLICKS for more. */
const manyClicks = Number(process.env.FIGURES_CLICKS ?? 200_000)

const scratch = mkdtempSync(join(tmpdir(), 'clickledger-spark-'))
let spark: Spark
test.before(async (t) => {
  t.timeout(20 * 60_000, 'the first run on a machine installs Spark')
  spark = await openSpark(scratch)
})
test.after.always(() => {
  spark?.close()
  rmSync(scratch, { recursive: true, force: true })
})

const under = (root: string, files: readonly string[]) => files.map((file) => join(root, file))
const listOf = (paths: readonly string[]) => paths.map((path) => `'${path}'`).join(', ')

const archiveView = ({ root, files }: ArchiveFixture): SparkView => ({
  base: join(root, 'raw'),
  files: under(root, files),
})

async function openDuckDb(t: ExecutionContext): Promise<DuckDBConnection> {
  const db = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await db.connect()
  t.teardown(() => {
    connection.closeSync()
    db.closeSync()
  })
  await connection.run(duckDbMacroSql)
  return connection
}

/** The steps of a rule set as views that Spark computes once: it would repeat a common table expression. */
const keptSteps = (ruleSet: RuleSet, range: TimeRange) =>
  Object.fromEntries(
    ruleSetSteps(ruleSet, range).map(({ name, sql }) => [name, { sql, keep: true as const }]),
  )

test.serial(
  'Spark reads the archive and a staged run, and makes the same aggregates of it',
  async (t) => {
    t.log(`seed ${seed}`)
    const archive = await archiveClicks(t, clicksOfSomeHours(seed))
    const { root, clicks } = archive
    const { aggregates, verdicts } = await archive.stage('run-1', defaultRuleSet)
    const staged = (files: readonly string[]) => ({
      base: join(root, 'runs', 'run-1'),
      files: under(root, files),
    })
    const read = (found: SparkView) => spark.run({ views: { found }, sql: 'SELECT * FROM found' })
    const raw = await read(archiveView(archive))
    t.deepEqual(
      raw.types,
      archiveTypes({ string: 'string', timestamp: 'bigint', int: 'int', long: 'bigint' }, 'int'),
    )
    t.deepEqual(inOrder(raw.rows), archiveRows(clicks))
    const minutes = await read(staged(aggregates))
    t.is(minutes.types.visitors, 'array<string>')
    const expected = expectedAggregates(defaultRuleSet, clicks)
    t.deepEqual(comparableAggregates(minutes.rows), expected)
    const exceptions = await read(staged(verdicts))
    t.deepEqual(inOrder(exceptions.rows), verdictRows(defaultRuleSet, clicks))
    const own = await spark.run({
      views: { clicks: archiveView(archive), ...keptSteps(defaultRuleSet, wholeOf(clicks)) },
      sql: judgedAggregatesSql(defaultRuleSet, 'clicks', wholeOf(clicks)),
    })
    t.deepEqual(comparableAggregates(own.rows), expected)
  },
)

/** Many random streams at once: each has advertisers of its own, so none touches another. */
function randomStreams(count: number): RawClick[] {
  const streams = fc.sample(randomClicks({ spanMs: 400, ids: 60, max: 80 }), {
    numRuns: count,
    seed,
  })
  return streams.flatMap((clicks, i) =>
    clicks.map(({ raw_partition, raw_offset, ...click }) => ({
      ...click,
      advertiser_id: `${i}-${click.advertiser_id}`,
    })),
  )
}

/** `partition offset rank` of each row. */
const comparableVerdicts = (rows: readonly Row[]) =>
  rows.map((r) => `${r.raw_partition} ${r.raw_offset} ${r.verdict_rank}`).sort()

function naiveVerdicts(ruleSet: RuleSet, { clicks }: ArchiveFixture, range: TimeRange): string[] {
  const verdicts = judgeNaively(ruleSet, clicks)
  const rows = clicks.flatMap(({ event_time, raw_partition, raw_offset }, i) => {
    const verdict = verdicts[i]
    if (event_time < range.start || event_time >= range.end || verdict?.rule === '') return []
    const verdict_rank = verdict
      ? ruleSet.rules.findIndex((rule) => rule.id === verdict.rule) + 1
      : copyRank
    return [{ raw_partition, raw_offset, verdict_rank }]
  })
  return comparableVerdicts(rows)
}

test.serial(
  'the compiled rule set gives the same verdicts on Spark, DuckDB and by definition',
  async (t) => {
    t.log(`seed ${seed}`)
    const archive = await archiveClicks(t, randomStreams(60))
    const [whole, part] = [
      { start: 0, end: 400 },
      { start: 130, end: 260 },
    ]
    const cases = [
      { ruleSet: defaultRuleSet, range: whole, inSteps: false },
      { ruleSet: defaultRuleSet, range: part, inSteps: true },
      ...fc
        .sample(randomRuleSet(300), { numRuns: 3, seed })
        .map((ruleSet, i) => ({ ruleSet, range: i === 0 ? part : whole, inSteps: true })),
    ]
    const connection = await openDuckDb(t)
    const paths = listOf(under(archive.root, archive.files))
    await connection.run(`CREATE VIEW clicks AS SELECT * FROM read_parquet([${paths}])`)
    for (const { ruleSet, range, inSteps } of cases) {
      const sql = compileRuleSet(ruleSet, range)
      const expected = naiveVerdicts(ruleSet, archive, range)
      const inDuckDb = await connection.runAndReadAll(sql)
      t.deepEqual(comparableVerdicts(inDuckDb.getRowObjectsJson()), expected)
      const clicks = archiveView(archive)
      const inSpark = await spark.run(
        inSteps
          ? { views: { clicks, ...keptSteps(ruleSet, range) }, sql: 'SELECT * FROM verdicts' }
          : { views: { clicks }, sql },
      )
      t.deepEqual(comparableVerdicts(inSpark.rows), expected)
    }
    t.true(naiveVerdicts(defaultRuleSet, archive, whole).length > 500)
  },
)

test.serial('both judge a day of clicks alike; how long each takes', async (t) => {
  const dir = scratchDir(t)
  const connection = await openDuckDb(t)
  const path = join(dir, 'clicks.parquet')
  await writeManyClicks(connection, path, manyClicks)
  const sql = compileRuleSet(defaultRuleSet, manyClicksRange)
  await connection.run(`CREATE VIEW clicks AS SELECT * FROM read_parquet('${path}')`)
  const begun = performance.now()
  await connection.run(`CREATE TABLE own AS ${sql}`)
  const seconds = (performance.now() - begun) / 1_000
  const into = join(dir, 'spark')
  const inSpark = await spark.run({
    views: {
      clicks: { base: dir, files: [path] },
      ...keptSteps(defaultRuleSet, manyClicksRange),
    },
    ...{ sql: 'SELECT * FROM verdicts', into },
  })
  await connection.run(`CREATE VIEW theirs AS SELECT * FROM read_parquet('${into}/*.parquet')`)
  const differing = await connection.runAndReadAll(
    `SELECT (SELECT count(*) FROM own), (SELECT count(*) FROM theirs),
      (SELECT count(*) FROM (FROM own EXCEPT ALL FROM theirs)),
      (SELECT count(*) FROM (FROM theirs EXCEPT ALL FROM own))`,
  )
  const [own, theirs, missing, surplus] = (differing.getRows()[0] ?? []).map(Number)
  t.true((own ?? 0) > manyClicks / 50, `${own} verdicts`)
  t.is(theirs, own)
  t.deepEqual([missing, surplus], [0, 0])
  t.log(
    `${manyClicks} clicks, ${own} verdicts: DuckDB ${seconds.toFixed(1)} s on 2 threads, ` +
      `Spark local[2] ${inSpark.seconds.toFixed(1)} s, ${(inSpark.seconds / seconds).toFixed(1)} times as long`,
  )
})
