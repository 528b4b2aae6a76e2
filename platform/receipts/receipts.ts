// The receipt of one click: its facts, what the speed layer said and when, what batch said, in which run
// and under which rule. Looked for within a range of event times only: an id does not say in which
// file a click is, the time in it does.
import { compareClicks } from '#core/rules/naive.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ArchivedClick, JudgedClick } from '#schemas/fields.ts'
import { type ArchiveName, hourMs, hourOf, stagedFolder, verdictsName } from '#schemas/paths.ts'
import { joinIds } from '../api-keys.ts'
import { boundaryInForce } from '../boundaries.ts'
import type { Queryable } from '../catalogue/port.ts'
import type { EventLog } from '../event-log/port.ts'
import type { ObjectStore } from '../object-store/port.ts'
import { createRuleSets } from '../rule-sets.ts'
import { type RowReader, withRowReader } from './archived-rows.ts'
import { type BuiltUnder, builtUnder, publishedHour } from './built-under.ts'
import { archivedEndsOf, judgedTail, rawTail } from './log-tail.ts'
import { findRepeats, type Repeats } from './repeats.ts'

export interface ReceiptParts {
  readonly catalogue: Queryable
  readonly log: EventLog
  readonly objects: ObjectStore
  readonly timeoutMs: number
}

export interface ReceiptQuestion {
  readonly eventId: string
  /** Of one of these; empty: of any. */
  readonly advertiserIds: readonly string[]
  /** Event times in ms: [from, to). */
  readonly from: number
  readonly to: number
}

interface Said {
  readonly status: string
  /** Empty where the click is valid. */
  readonly rule: string
  readonly rule_set: number
}

export type SpeedSaid =
  | (Said & { readonly state: 'judged'; readonly judged_time: number })
  | { readonly state: 'nothing'; readonly detail: string }

export type BatchSaid =
  | (Said & {
      readonly state: 'judged'
      /** The run whose numbers are shown, and the run that judged: they differ after a rollback. */
      readonly run_id: string
      readonly judged_in: string
      readonly reason: string
      readonly published_at: number
      /** Below the boundary: this is what is billed. */
      readonly in_force: boolean
    })
  | { readonly state: 'waiting'; readonly detail: string }

export interface Receipt {
  readonly click: ArchivedClick
  readonly isArchived: boolean
  readonly copies: readonly ArchivedClick[]
  readonly speed: SpeedSaid
  readonly batch: BatchSaid
  readonly repeats: Repeats | undefined
}

const fileTables = { raw: 'archive_files', judged: 'judged_files' } as const

/** Rows of an archive with this id. */
async function archivedRows(
  { catalogue }: ReceiptParts,
  reader: RowReader,
  archive: ArchiveName,
  { eventId, advertiserIds, from, to }: ReceiptQuestion,
) {
  const files = await catalogue.query<{ path: string; version: number }>(
    `SELECT path, version FROM ${fileTables[archive]} WHERE hour >= $1 AND hour < $2 ORDER BY path`,
    [hourOf(from), to],
  )
  const versions = new Map(files.map(({ path, version }) => [path, Number(version)]))
  const rows = await reader.rows(
    [...versions.keys()],
    `event_time >= $start AND event_time < $stop AND event_id = $event_id
      AND ($advertisers = '' OR list_contains(string_split($advertisers, ','), advertiser_id))`,
    { start: from, stop: to, event_id: eventId, advertisers: joinIds(advertiserIds) },
  )
  return rows.map(({ file, ...row }) => ({ row, version: versions.get(file) ?? 0 }))
}

const isAsked =
  ({ advertiserIds, from, to }: ReceiptQuestion) =>
  (click: { advertiser_id: string; event_time: number }) =>
    (advertiserIds.length === 0 || advertiserIds.includes(click.advertiser_id)) &&
    click.event_time >= from &&
    click.event_time < to

interface Found {
  readonly click: ArchivedClick
  /** Archive version of its file; undefined: not archived yet. */
  readonly version: number | undefined
}

async function findClicks(
  parts: ReceiptParts,
  reader: RowReader,
  question: ReceiptQuestion,
): Promise<Found[]> {
  const ends = await archivedEndsOf(parts.catalogue, 'raw')
  const archived = await archivedRows(parts, reader, 'raw', question)
  const found = archived.map(
    ({ row, version }): Found => ({ click: row as unknown as ArchivedClick, version }),
  )
  // Of a click that is archived, copies may still wait in the log; they change nothing that is said.
  const waiting =
    found.length > 0
      ? undefined
      : await rawTail(parts.log, ends, question.eventId, isAsked(question))
  const all: Found[] = waiting ? [{ click: waiting, version: undefined }] : found
  return all.sort((a, b) => compareClicks(a.click, b.click))
}

const isSame = (a: ArchivedClick) => (b: { raw_partition: number; raw_offset: number }) =>
  a.raw_partition === b.raw_partition && a.raw_offset === b.raw_offset

async function speedSaid(
  parts: ReceiptParts,
  reader: RowReader,
  question: ReceiptQuestion,
  clicks: readonly ArchivedClick[],
): Promise<SpeedSaid> {
  const ends = await archivedEndsOf(parts.catalogue, 'judged')
  const archived = await archivedRows(parts, reader, 'judged', question)
  const rows = archived.map(({ row }) => row as unknown as JudgedClick)
  const isOfThese = (judged: JudgedClick) => clicks.some((click) => isSame(click)(judged))
  const said =
    rows.find(isOfThese) ?? (await judgedTail(parts.log, ends, question.eventId, isOfThese))
  if (!said) {
    const detail =
      'Nothing is known of what the speed layer said: it has not judged the click yet, or that is no longer kept.'
    return { state: 'nothing', detail }
  }
  const { status, rule, rule_set, judged_time } = said
  return { state: 'judged', status, rule, rule_set, judged_time }
}

const waiting = (detail: string): BatchSaid => ({ state: 'waiting', detail })

async function verdictOf(reader: RowReader, file: string, click: ArchivedClick) {
  const [row] = await reader.rows(
    [stagedFolder(file) + verdictsName],
    'advertiser_id = $advertiser AND event_id = $event_id AND raw_partition = $partition AND raw_offset = $offset',
    {
      ...{ advertiser: click.advertiser_id, event_id: click.event_id },
      ...{ partition: click.raw_partition, offset: click.raw_offset },
    },
  )
  return { status: String(row?.status ?? 'valid'), rule: String(row?.rule ?? '') }
}

async function batchSaid(
  { catalogue }: ReceiptParts,
  reader: RowReader,
  { click, version }: Found,
): Promise<BatchSaid> {
  if (version === undefined) return waiting('The click is in the log and not archived yet.')
  const hour = hourOf(click.event_time)
  const { boundary } = await boundaryInForce(catalogue)
  const published = await publishedHour(catalogue, hour)
  if (!published) {
    const at = new Date(boundary).toISOString()
    return waiting(`Its hour has not been built yet; the boundary is at ${at}.`)
  }
  const built = await builtUnder(catalogue, published, hour, click.advertiser_id)
  const [file] = published.files
  if (!built || !file || version > built.archiveVersion) {
    return waiting('It came after its hour was built; the next run of that hour counts it.')
  }
  try {
    const verdict = await verdictOf(reader, file, click)
    return saidBy(verdict, built, { ...published, in_force: hour + hourMs <= boundary })
  } catch (error) {
    if (!(error instanceof ClickledgerError) || error.code !== 'archive-gap') throw error
    return waiting(`What run ${built.runId} staged for its hour cannot be read: ${error.message}`)
  }
}

function saidBy(
  verdict: { readonly status: string; readonly rule: string },
  { runId, ruleSet }: BuiltUnder,
  published: { runId: string; reason: string; publishedAt: number; in_force: boolean },
): BatchSaid {
  return {
    ...{ state: 'judged', ...verdict, rule_set: ruleSet },
    ...{ run_id: published.runId, judged_in: runId, reason: published.reason },
    ...{ published_at: published.publishedAt, in_force: published.in_force },
  }
}

async function repeatsOf(
  { catalogue }: ReceiptParts,
  reader: RowReader,
  click: ArchivedClick,
  said: SpeedSaid | BatchSaid,
) {
  if (said.state !== 'judged' || said.rule === '') return undefined
  const ruleSet = await createRuleSets(catalogue)(said.rule_set)
  return findRepeats(catalogue, reader, click, ruleSet, said.rule)
}

/**
 * Looks a click up.
 * @returns undefined where no click of that advertiser has the id in that range
 * @throws ClickledgerError `bad-request` where several advertisers have it, `archive-gap`,
 *   `query-timeout`, `unavailable`
 */
export async function findReceipt(
  parts: ReceiptParts,
  question: ReceiptQuestion,
): Promise<Receipt | undefined> {
  return withRowReader(parts.objects, parts.timeoutMs, async (reader) => {
    const [first, ...others] = await findClicks(parts, reader, question)
    if (!first) return undefined
    const { click } = first
    if (others.some((other) => other.click.advertiser_id !== click.advertiser_id)) {
      throw new ClickledgerError(
        'bad-request',
        'advertiser_id: clicks of several advertisers have this id; name one',
      )
    }
    const copies = others.map((other) => other.click)
    const speed = await speedSaid(parts, reader, question, [click, ...copies])
    const batch = await batchSaid(parts, reader, first)
    const repeats = await repeatsOf(parts, reader, click, batch.state === 'judged' ? batch : speed)
    return { click, isArchived: first.version !== undefined, copies, speed, batch, repeats }
  })
}
