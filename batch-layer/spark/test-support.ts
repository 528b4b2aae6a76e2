// What the tests of the engine spark share: a plan over an archive, and the comparison of what was staged.
import { DuckDBInstance } from '@duckdb/node-api'
import type { ExecutionContext } from 'ava'
import type { RuleSet } from '#core/rules/rule-set.ts'
import type { Settings } from '#platform/config.ts'
import { openCatalogue } from '#platform/stack.ts'
import { planRebuild, type RebuildTask } from '../rebuild/plan.ts'

export async function planOf(
  settings: Settings,
  ruleSet: RuleSet,
  hours: readonly number[],
  taskClicksMax: number,
): Promise<readonly RebuildTask[]> {
  const catalogue = await openCatalogue(settings)
  try {
    const request = { runId: '', hours: hours.map((hour) => ({ hour, ruleSet })), taskClicksMax }
    return (await planRebuild(catalogue, request)).tasks
  } finally {
    await catalogue.close()
  }
}

/** Columns with their types, and rows that one has and the other has not; lists sorted. */
export async function compareFiles(
  t: ExecutionContext,
  ours: readonly string[],
  theirs: readonly string[],
) {
  const db = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await db.connect()
  try {
    const list = (paths: readonly string[]) => paths.map((path) => `'${path}'`).join(', ')
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson()
    const described = async (paths: readonly string[]) =>
      (await rows(`DESCRIBE FROM read_parquet([${list(paths)}], hive_partitioning = false)`)).map(
        ([name, type]) => `${name} ${type}`,
      )
    const columns = await described(ours)
    t.deepEqual(await described(theirs), columns)
    const sorted = columns.map((column) => {
      const [name = '', type] = column.split(' ')
      return type === 'VARCHAR[]' ? `list_sort(${name})` : name
    })
    for (const [name, paths] of [
      ['ours', ours],
      ['theirs', theirs],
    ] as const) {
      await connection.run(
        `CREATE TABLE ${name} AS SELECT ${sorted.join(', ')}, filename.parse_path()[-5:-2] AS at
         FROM read_parquet([${list(paths)}], hive_partitioning = false, filename = true)`,
      )
    }
    t.deepEqual(await rows('FROM ours EXCEPT ALL FROM theirs LIMIT 3'), [])
    t.deepEqual(await rows('FROM theirs EXCEPT ALL FROM ours LIMIT 3'), [])
    return Number((await rows('SELECT count(*) FROM ours'))[0]?.[0])
  } finally {
    connection.closeSync()
    db.closeSync()
  }
}
