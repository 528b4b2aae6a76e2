// A rebuild plan as driver.py takes it: locations and SQL, nothing left to know about rules. A task's
// hours are written together, and only then get their places under the run's prefix.
import { exceptionsOrder, exceptionsSql, judgedAggregatesSql } from '#core/judged-sql.ts'
import { ruleSetSteps, type Step } from '#core/rules/set-based.ts'
import { emptyValue, sqlTypeOf } from '#schemas/columns.ts'
import { archivedFields, type Field } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import type { RebuildTask } from '../rebuild/plan.ts'

export interface SparkTask {
  /** Its place in the plan that was given. */
  readonly number: number
  /** Part of the names of its files: those of an attempt that was thought dead do not mix with them. */
  readonly attempt: string
  /** Files of the hours to rebuild, and of those that are only looked back at. */
  readonly files: readonly string[]
  readonly steps: readonly Step[]
  /** Over the relations `clicks` and `verdicts`. */
  readonly aggregates: string
  readonly verdicts: string
  readonly hours: readonly { readonly hour: number; readonly target: string }[]
  /** A folder that is removed in the end. */
  readonly scratch: string
}

export interface SparkPlan {
  /** Process that the driver does not outlive. */
  readonly parent: number
  readonly atOnce: number
  /** Columns of raw files, as Spark declares them. */
  readonly schema: string
  /** Over `raw_files`: the archive's columns, unknown ones of older files empty. */
  readonly clicks: string
  readonly order: readonly string[]
  /** Sums over staged aggregates, by the names of a StagedHour. */
  readonly counts: Readonly<Record<string, string>>
  readonly tasks: readonly SparkTask[]
}

/** Where things are, as Spark names it. */
export interface SparkPlaces {
  raw(key: string): Promise<string>
  target(hour: number): string
  scratch(task: number): string
}

const sparkType = (field: Field) => (field.type === 'string' ? 'STRING' : sqlTypeOf(field))

/** Part of every schema version, and filtered by: without a function around them, files are skipped. */
const always: readonly string[] = ['event_time', 'raw_partition', 'raw_offset']

const columnSql = (field: Field) =>
  always.includes(field.name)
    ? field.name
    : `coalesce(${field.name}, ${field.type === 'string' ? "''" : emptyValue(field)}) AS ${field.name}`

const schema = archivedFields.map((field) => `${field.name} ${sparkType(field)}`).join(', ')
const clicks = `SELECT ${archivedFields.map(columnSql).join(', ')} FROM raw_files`

/** The parts of a plan that its tasks do not decide. */
export const planFrame = {
  schema,
  clicks,
  order: exceptionsOrder,
  counts: {
    valid: 'click_count',
    duplicate: 'duplicate_click_count',
    invalid: 'fraudulent_click_count',
  },
} satisfies Partial<SparkPlan>

async function placesOf(
  hours: RebuildTask['hours'],
  { raw }: SparkPlaces,
): Promise<readonly string[]> {
  const places: string[] = []
  for (const { files } of hours) for (const key of files) places.push(await raw(key))
  return places
}

/**
 * A task for Spark; undefined where none of its hours has a file, so that there is nothing to do.
 * @throws ClickledgerError `archive-gap` for a missing file
 */
export async function sparkTask(
  { ruleSet, hours, lookBack }: RebuildTask,
  { number, attempt }: Pick<SparkTask, 'number' | 'attempt'>,
  places: SparkPlaces,
): Promise<SparkTask | undefined> {
  if (hours.every(({ files }) => files.length === 0)) return undefined
  const times = hours.map(({ hour }) => hour)
  const range = { start: Math.min(...times), end: Math.max(...times) + hourMs }
  // Only so does Spark know that it need not look into the other files.
  const inRange = `(SELECT * FROM clicks WHERE event_time >= ${range.start} AND event_time < ${range.end})`
  return {
    ...{ number, attempt, files: await placesOf([...lookBack, ...hours], places) },
    steps: ruleSetSteps(ruleSet, range),
    aggregates: judgedAggregatesSql(ruleSet, 'clicks', range),
    verdicts: exceptionsSql(ruleSet, inRange),
    hours: hours
      .filter(({ files }) => files.length > 0)
      .map(({ hour }) => ({ hour, target: places.target(hour) })),
    scratch: places.scratch(number),
  }
}
