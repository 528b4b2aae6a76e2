// The tasks of Druid's batch view: minutes and hours come from the same staged rows, days from the hours;
// each replaces what was there. Every hour has a row of its own that says what it was loaded from.
import { createHash } from 'node:crypto'
import type { Interval } from '#core/boundary.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { sumMetrics, uniqueMetrics } from '#schemas/metrics.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import {
  type DruidNames,
  granularity,
  intervalOf,
  maxColumnsToMerge,
  type SegmentGranularity,
  type Spec,
  sketch,
  sketchSize,
  stringDimension,
  type View,
} from './druid-specs.ts'

/** The anchor's hour: long after any click, because the newest hour decides (see anchorTask). */
export const anchorTime = Date.UTC(2100, 0, 1)

/** `layer` of a row that counts nothing and tells in `mark` what the hour was loaded from. */
export const markLayer = 'mark'

/** Druid's own advice: about five million rows to a segment. */
export const segmentRowsMax = 5_000_000

/** Columns of rows that are aggregates already: loads of the batch view, and anchors. */
function aggregateSchema(
  view: View,
  dataSource: string,
  intervals: readonly string[],
  segments?: SegmentGranularity,
) {
  const own = { batch: ['layer', 'run'], speed: ['layer'] }
  const proof = own[view as 'batch'] ?? ['layer', 'mark']
  return {
    dataSource,
    timestampSpec: { column: 'minute', format: 'millis' },
    dimensionsSpec: { dimensions: [...proof, ...dimensionNames].map(stringDimension) },
    metricsSpec: [
      ...sumMetrics.map(({ name }): Spec => ({ type: 'longSum', name, fieldName: name })),
      ...uniqueMetrics.map(({ name, members }): Spec => sketch(name, members)),
    ],
    granularitySpec: granularity(view, intervals, segments),
  }
}

/** Replaces the schema's intervals by the rows of the input, whatever was there before. */
const replaceTask = (id: string, dataSchema: Spec, input: Spec, subTasks = 1): Spec => ({
  type: 'index_parallel',
  id,
  spec: {
    dataSchema,
    ioConfig: { type: 'index_parallel', appendToExisting: false, dropExisting: true, ...input },
    tuningConfig: {
      type: 'index_parallel',
      partitionsSpec: { type: 'dynamic', maxRowsPerSegment: segmentRowsMax },
      maxNumConcurrentSubTasks: subTasks, // 1: in its own slot, it never waits for a second one
      // A file is an hour: so an hour is rolled up by one sub-task, as it would be by one task.
      ...(subTasks > 1 ? { splitHintSpec: { type: 'maxSize', maxNumFiles: 1 } } : {}),
      maxRowsInMemory: 150_000,
      maxColumnsToMerge,
      maxParseExceptions: 0, // a row that is left out would be a wrong bill
      logParseExceptions: true,
    },
  },
})

/** Rows are of the datasource's own layer, but for those that tell where they are from. */
const ownLayer = (view: View): Spec => ({
  transforms: [
    {
      type: 'expression',
      name: 'layer',
      expression: `if("layer" == '${markLayer}', '${markLayer}', '${view}')`,
    },
  ],
})

/**
 * @param uris - gzipped JSON lines of aggregates, at least one line for each hour, a file for an hour
 * @param subTasks - at once, at most
 */
export function loadTask(
  id: string,
  names: DruidNames,
  view: 'batch' | 'hour',
  hours: readonly number[],
  uris: readonly string[],
  subTasks: number,
): Spec {
  const intervals = hours.map((hour) => intervalOf(hour, hour + hourMs))
  const schema = {
    ...aggregateSchema(view, names[view], intervals),
    transformSpec: ownLayer(view),
  }
  const input = { inputSource: { type: 's3', uris }, inputFormat: { type: 'json' } }
  return replaceTask(id, schema, input, subTasks)
}

export interface DayRows extends Interval {
  /** Whose published rows they are made of. */
  readonly from: 'hour' | 'day'
  readonly segments: 'DAY' | 'WEEK'
}

/** Makes the rows of whole days anew from what is published of them. */
export function dayTask(
  id: string,
  names: DruidNames,
  { start, end, from, segments }: DayRows,
): Spec {
  const interval = intervalOf(start, end)
  const schema = aggregateSchema('day', names.day, [interval], segments)
  const merged = uniqueMetrics.map(({ name }) => ({
    ...{ type: 'HLLSketchMerge', name, fieldName: name },
    ...sketchSize,
  }))
  return replaceTask(
    id,
    {
      ...schema,
      timestampSpec: { column: '__time', format: 'millis' },
      metricsSpec: [...schema.metricsSpec.slice(0, sumMetrics.length), ...merged],
      transformSpec: ownLayer('day'),
    },
    { inputSource: { type: 'druid', dataSource: names[from], interval } },
  )
}

/** Names the columns that an anchor was made for. */
export const anchorLayer = (view: View): string => {
  const columns = JSON.stringify(aggregateSchema(view, '', []))
  return `anchor-${createHash('sha256').update(columns).digest('hex').slice(0, 12)}`
}

/**
 * One row of zeros in a published segment of its own, newer than all others. SQL takes the type of a
 * column from the newest hour. In a realtime task a sketch has another type until it is published,
 * which no union can take, or, once the task has spilled to disk, none at all.
 */
export function anchorTask(id: string, view: View, dataSource: string): Spec {
  const row = {
    minute: anchorTime,
    layer: anchorLayer(view),
    ...Object.fromEntries(dimensionNames.map((name) => [name, ''])),
    ...Object.fromEntries(sumMetrics.map(({ name }) => [name, 0])),
  }
  const interval = intervalOf(anchorTime, anchorTime + (view === 'day' ? dayMs : hourMs))
  return replaceTask(id, aggregateSchema(view, dataSource, [interval]), {
    inputSource: { type: 'inline', data: JSON.stringify(row) },
    inputFormat: { type: 'json' },
  })
}
