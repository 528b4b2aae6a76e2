// A worker that compares hours of one run with what the speed layer said. Only counts and a few
// examples go back.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Settings } from '#platform/config.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { archivedFields, type Field, judgedFields } from '#schemas/fields.ts'
import type { DifferenceClass, DifferenceExample } from '#schemas/reconciliation.ts'
import { localHours, localPaths } from '../rebuild/local-hours.ts'
import type { HourFiles } from '../rebuild/plan.ts'
import { clicksSql } from '../rebuild/stage-sql.ts'
import { withWorkspace } from '../workspace.ts'
import { type DifferenceOptions, nameDifferences, type untold } from './differences.ts'

/** Examples kept for each hour, advertiser and class. */
const examplesMax = 3

export interface DifferencesInput
  extends Pick<DifferenceOptions, 'ruleSet' | 'exceptions' | 'historyMs' | 'heldSince' | 'ends'> {
  /** Object keys of the verdicts of these hours; a click without an entry is valid. */
  readonly verdicts: readonly string[]
  /** Raw files that the run was built from, of the hours to compare. */
  readonly hours: readonly HourFiles[]
  /** Raw files of these hours that came after. */
  readonly later: readonly HourFiles[]
  readonly judged: readonly HourFiles[]
  /** Raw files, as far around the hours as rules reach; these hours included. */
  readonly around: readonly HourFiles[]
  readonly judgedAround: readonly HourFiles[]
  readonly settings: Settings
}

export interface FoundDifference {
  readonly hour: number
  readonly advertiserId: string
  readonly class: DifferenceClass | (typeof untold)[number]
  readonly clicks: number
  readonly examples: readonly DifferenceExample[]
}

/** Relation `batch`: each archived click with its verdict; no entry in the run's file means valid. */
async function batchSql(objects: ObjectStore, { verdicts }: DifferencesInput): Promise<string> {
  const paths = (await localPaths(objects, verdicts)).map(
    (path) => `'${path.replaceAll("'", "''")}'`,
  )
  const columns = 'advertiser_id, event_id, event_time, received_time, raw_partition, raw_offset'
  if (paths.length === 0) return `SELECT ${columns}, '' AS status, '' AS rule FROM own WHERE false`
  return `SELECT ${columns}, coalesce(v.status, 'valid') AS status, coalesce(v.rule, '') AS rule FROM own
    LEFT JOIN (SELECT raw_partition, raw_offset, status, rule
      FROM read_parquet([${paths.join(', ')}], hive_partitioning = false)) v USING (raw_partition, raw_offset)`
}

const said = (status: string, rule: string) =>
  `CASE WHEN ${status} IS NULL THEN '' WHEN coalesce(${rule}, '') IN ('', ${status}) THEN ${status}
    ELSE ${status} || ': ' || ${rule} END`

const resultSql = `SELECT CAST(hour AS DOUBLE) AS hour, advertiser_id, class,
    CAST(clicks AS DOUBLE) AS clicks, event_id, CAST(event_time AS DOUBLE) AS event_time,
    raw_partition, CAST(raw_offset AS DOUBLE) AS raw_offset,
    ${said('batch_status', 'batch_rule')} AS batch,
    ${said('speed_status', 'speed_rule')} || CASE WHEN times > 1 THEN ' x ' || times ELSE '' END AS speed
  FROM (
    SELECT *, count(*) OVER (PARTITION BY hour, advertiser_id, class) AS clicks, row_number() OVER (
      PARTITION BY hour, advertiser_id, class ORDER BY event_time, event_id, raw_partition, raw_offset) AS n
    FROM differences
  ) numbered WHERE n <= ${examplesMax} ORDER BY hour, advertiser_id, class, n`

type ResultRow = DifferenceExample & {
  hour: number
  advertiser_id: string
  class: FoundDifference['class']
  clicks: number
}

async function readDifferences(connection: DuckDBConnection): Promise<FoundDifference[]> {
  const result = await connection.runAndReadAll(resultSql)
  const rows = result.getRowObjects() as unknown as ResultRow[]
  const keyed = Map.groupBy(rows, (row) => `${row.hour} ${row.class} ${row.advertiser_id}`)
  return [...keyed.values()].flatMap((group) => {
    const [first] = group
    if (!first) return []
    const { hour, advertiser_id: advertiserId, class: name, clicks } = first
    const examples = group.map(
      ({ event_id, event_time, raw_partition, raw_offset, batch, speed }) => {
        return { event_id, event_time, raw_partition, raw_offset, batch, speed }
      },
    )
    return [{ hour, advertiserId, class: name, clicks, examples }]
  })
}

async function compare(
  connection: DuckDBConnection,
  objects: ObjectStore,
  input: DifferencesInput,
): Promise<FoundDifference[]> {
  const view = async (
    name: string,
    hours: readonly HourFiles[],
    fields: readonly Field[] = archivedFields,
  ) => {
    const local = await localHours(connection, objects, hours, fields)
    await connection.run(`CREATE TEMP VIEW ${name} AS ${clicksSql(local, fields)}`)
  }
  await view('own', input.hours)
  await connection.run(`CREATE TEMP VIEW batch AS ${await batchSql(objects, input)}`)
  await view('later', input.later)
  await view('judged', input.judged, judgedFields)
  await nameDifferences(connection, {
    ...input,
    async lookAround() {
      await view('clicks', input.around)
      await view('judged_around', input.judgedAround, judgedFields)
    },
  })
  return readDifferences(connection)
}

/** Differences between a run and the speed layer, hour by hour. */
export function findDifferences(input: DifferencesInput): Promise<FoundDifference[]> {
  return withWorkspace(input.settings, { name: 'compare', inFile: true }, (workspace) =>
    compare(workspace.connection, workspace.objects, input),
  )
}
