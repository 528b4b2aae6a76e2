// The shapes of requests and answers, as JSON Schema: what is checked at the door and what
// /openapi.json says are the same objects.
import { type TSchema, Type } from 'typebox'
import { granularities } from '#core/report-query.ts'
import { roles } from '#platform/api-keys.ts'
import { dimensionNames, dimensions } from '#schemas/dimensions.ts'
import { idPattern, limits } from '#schemas/limits.ts'
import { metricNames, metrics } from '#schemas/metrics.ts'
import { freshnessStates } from './freshness.ts'
import { completenesses, formats } from './reports/params.ts'

const listed = (items: readonly { name: string; doc: string }[]) =>
  items.map(({ name, doc }) => `\`${name}\`: ${doc}`).join('\n')

const text = (description: string, maxLength: number, example?: string) =>
  Type.Optional(
    Type.String({ description, maxLength, ...(example ? { examples: [example] } : {}) }),
  )

const range = {
  start_time: text(
    'Start of the range, ISO 8601; without an offset in `time_zone`. Ranges are widened to whole minutes. Default: 24 hours before the end.',
    64,
    '2026-11-22T00:00:00Z',
  ),
  end_time: text('End of the range, exclusive. Default: now.', 64, '2026-11-23T00:00:00Z'),
  time_zone: text('IANA name; decides where buckets begin. Default: UTC.', 64, 'Europe/Berlin'),
  completeness: Type.Optional(
    Type.Enum(completenesses, {
      description:
        '`final`: only what is below the boundary; `meta.end_time` says where it ends. `latest` (default): everything.',
    }),
  ),
}

const filters = text(
  '`==` one of, `!=` none of, `=^` begins with; `;` means and; a backslash escapes `,` and `;`.',
  limits.urlBytesMax,
  'country==US,IL;device_type!=bot;campaign_id=^summer',
)

const metricList = text(
  `Comma-separated.\n${listed(metrics)}`,
  512,
  'click_count,gross_click_count',
)

const granularity = Type.Optional(
  Type.Enum(granularities, { description: 'Size of a bucket. Default: hour.' }),
)

const compareTo = Type.Optional(
  Type.Enum(['previous_period'] as ['previous_period'], {
    description:
      'Each row also has `previous_<metric>` and `previous_provenance`: the same bucket of the period of the same length before.',
  }),
)

const format = Type.Optional(
  Type.Enum(formats, {
    description:
      'Default: what the Accept header names, else json. CSV and Parquet are streamed; the header clickledger-meta has what JSON has in `meta`.',
  }),
)

export const Id = Type.String({
  pattern: idPattern.source,
  minLength: 1,
  maxLength: limits.idCharsMax,
})

const closed = { additionalProperties: false }

export const TimeseriesParams = Type.Object(
  {
    ...range,
    granularity,
    dimensions: text(`Comma-separated.\n${listed(dimensions)}`, 512, 'country,device_type'),
    filters,
    metrics: metricList,
    order: text(
      'Keys in their order, `-` for greatest first: `time`, and dimensions and metrics that are asked for. Always completed by time and dimensions.',
      512,
      '-click_count,time',
    ),
    zero_fill: Type.Optional(
      Type.Boolean({
        description:
          'Buckets without clicks are rows, too; with dimensions, for each combination of values seen in the range. One page.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.exportRowsMax,
        description: `Rows of a page of JSON (at most ${limits.reportRowsMax}), or of a whole export.`,
      }),
    ),
    cursor: text('`meta.next` of the last page.', limits.cursorCharsMax),
    compare_to: compareTo,
    format,
  },
  closed,
)

export const TopNParams = Type.Object(
  {
    ...range,
    dimension: Type.Enum(dimensionNames as [(typeof dimensionNames)[number]]),
    metric: Type.Optional(
      Type.Enum(metricNames as [(typeof metricNames)[number]], {
        description: 'Ranks by it. Default: click_count.',
      }),
    ),
    top_n: Type.Optional(
      Type.Integer({ minimum: 1, maximum: limits.topNMax, description: 'Default: 10.' }),
    ),
    filters,
    metrics: metricList,
    compare_to: compareTo,
    format,
  },
  closed,
)

export const AdMetricsParams = Type.Object(
  { ...range, granularity, filters, metrics: metricList, compare_to: compareTo, format },
  closed,
)

export const LiveParams = Type.Object(
  {
    filters,
    minutes: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 180, description: 'Minutes shown. Default: 60.' }),
    ),
  },
  closed,
)

const Iso = Type.String({ format: 'date-time' })
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const Row = Type.Object(
  {
    time: Type.String({ description: 'Start of the bucket, ISO 8601.' }),
    provenance: Type.Enum(['final', 'provisional', 'open'], {
      description:
        '`final`: rebuilt from the raw events. `provisional`: all clicks received before its end are counted. `open`: more may come.',
    }),
  },
  { description: 'Flat: the dimensions and metrics asked for beside these.' },
)

export const Meta = Type.Object({
  start_time: Type.String(),
  end_time: Type.String(),
  granularity: Type.String(),
  time_zone: Type.String(),
  completeness: Type.String(),
  boundary: Iso,
  watermark: Nullable(Iso),
  degraded: Type.Boolean({
    description:
      'Newest clicks may be missing: the store takes its realtime ingestion up, or up again.',
  }),
  rule_set: Type.Integer({ description: 'Version in force; each run names its own.' }),
  runs: Type.Array(
    Type.Object({
      run_id: Type.String(),
      rule_set: Type.Integer(),
      hours: Type.Integer(),
      published_at: Iso,
    }),
  ),
  publishing: Type.Array(Type.String(), {
    description: 'Runs that replace hours of the range now: a number may be of before or of after.',
  }),
  approximate: Type.Array(Type.String(), { description: 'Metrics that are estimates.' }),
  approximate_error: Nullable(
    Type.Object(
      { relative_standard_error: Type.Number(), relative_error_95: Type.Number() },
      { description: 'Of the estimates, at most; sets of some hundreds are counted exactly.' },
    ),
  ),
  previous: Nullable(
    Type.Object(
      { start_time: Type.String(), end_time: Type.String() },
      { description: 'The range of `previous_` columns.' },
    ),
  ),
  truncated: Type.Boolean({
    description:
      'There are more rows, and no `next`: an order by a metric moves while clicks come. Ask by time, with completeness=final, or with a greater limit.',
  }),
  next: Nullable(Type.String({ description: 'Cursor of the next page.' })),
  stale: Type.Optional(
    Type.Literal(true, {
      description:
        'Only while the OLAP store is away: these numbers were final when it last answered, `age_seconds` ago, and have not been published again since. `end_time` says where they end.',
    }),
  ),
  age_seconds: Type.Optional(Type.Integer()),
})

export const Answer = Type.Object({ meta: Meta, data: Type.Array(Row) })

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.String(),
    fix: Type.String(),
    request_id: Type.Optional(Type.String()),
  },
  { description: 'RFC 9457.' },
)

export const Freshness = Type.Object({
  now: Iso,
  state: Type.Enum(freshnessStates),
  detail: Type.String(),
  boundary: Iso,
  boundary_published_at: Iso,
  boundary_lag_seconds: Type.Number(),
  watermark: Nullable(Iso),
  lag_seconds: Nullable(Type.Number()),
  wal_depth_clicks: Type.Number(),
})

const Name = Type.Optional(Type.String({ maxLength: 256 }))

/** A key may see several tenants: an agency's advertisers, a network's publishers. */
const Tenants = Type.Array(Id, { minItems: 1, maxItems: 100, uniqueItems: true })

export const NewKey = Type.Object(
  {
    role: Type.Enum(roles),
    advertiser_id: Type.Optional(Id),
    advertiser_ids: Type.Optional(Tenants),
    publisher_id: Type.Optional(Id),
    publisher_ids: Type.Optional(Tenants),
    name: Name,
    expires_at: text('When it ends, ISO 8601; default: never.', 64, '2027-01-01T00:00:00Z'),
  },
  closed,
)

export const NewAdvertiser = Type.Object(
  {
    advertiser_id: Id,
    name: Name,
    signed_only: Type.Optional(
      Type.Boolean({ description: 'Unsigned clicks get the mark bad-signature.' }),
    ),
  },
  closed,
)

export const NewPublisher = Type.Object({ publisher_id: Id, name: Name }, closed)

export const NewPlacement = Type.Object(
  {
    slot: Id,
    publisher_id: Id,
    ad_ids: Type.Array(Id, { minItems: 1, maxItems: 100, uniqueItems: true }),
  },
  closed,
)

export const NewRebuild = Type.Object(
  {
    from: Type.Optional(Type.String({ maxLength: 64, description: 'First hour, ISO 8601.' })),
    to: Type.Optional(Type.String({ maxLength: 64, description: 'Exclusive.' })),
    dirty: Type.Optional(Type.Boolean({ description: 'All dirty hours (also the default).' })),
    reason: Type.Optional(Type.String({ maxLength: 512 })),
    rule_set: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Version to judge under. Default: the one each hour was published under.',
      }),
    ),
  },
  closed,
)

/** Answers of a route: `200` as given, everything else a problem. */
export const answers = (schema: TSchema, status = 200) => ({
  [status]: schema,
  default: {
    description: 'A problem, with a code and what to do.',
    content: { 'application/problem+json': { schema: Problem } },
  },
})

/** Answers of a report, in each format. */
export const reportAnswers = {
  ...answers(Answer),
  200: {
    description: 'Rows; in CSV and Parquet with the same columns.',
    content: {
      'application/json': { schema: Answer },
      'text/csv': { schema: Type.String() },
      'application/vnd.apache.parquet': { schema: Type.String({ format: 'binary' }) },
    },
  },
}
