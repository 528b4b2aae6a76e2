// reconcile: where batch and the speed layer differ, and why, as the last comparison recorded it.
import type { Command } from 'commander'
import { alarmingClasses, type DifferenceExample } from '#schemas/reconciliation.ts'
import { WrongUse } from '../exit.ts'
import { createTimeParser } from '../import/time-format.ts'
import {
  type InstanceOptions,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'
import { type Column, table } from '../table.ts'

interface Options extends InstanceOptions {
  readonly from: string
  readonly to: string
  readonly json?: boolean
}

/** Of the answer of GET /v1/reconciliation, what people are shown. */
export interface ReconciliationAnswer {
  readonly meta: {
    readonly hours_waiting: number
    readonly hours_unseen: number
    readonly is_cut: boolean
    readonly totals: Readonly<Record<string, number>>
  }
  readonly data: readonly {
    readonly hour: string
    readonly state: string
    readonly detail: string
    readonly clicks: number
    readonly differences: readonly {
      readonly advertiser_id: string
      readonly class: string
      readonly clicks: number
      readonly examples: readonly (Omit<DifferenceExample, 'event_time'> & {
        readonly event_time: string
      })[]
    }[]
  }[]
}

const help = `
Times are ISO 8601, UTC where no offset is given; --to is exclusive. Hours are compared on their own,
after each publication. Differences marked with ! have no known cause.

Examples:
  clickledger reconcile --from 2026-11-21 --to 2026-11-22
  clickledger reconcile --from 2026-11-21T10:00:00Z --to 2026-11-21T11:00:00Z --json`

const count = new Intl.NumberFormat('en-US')
const isAlarming = (name: string) => alarmingClasses.some((alarming) => alarming === name)

interface Row {
  readonly hour: string
  readonly advertiser_id: string
  readonly class: string
  readonly clicks: number
}

const columns: readonly Column<Row>[] = [
  { title: ' ', of: (row) => (isAlarming(row.class) ? '!' : ' ') },
  { title: 'hour', of: ({ hour }) => hour.slice(0, 16) },
  { title: 'advertiser', of: (row) => row.advertiser_id },
  { title: 'class', of: (row) => row.class },
  { title: 'clicks', right: true, of: ({ clicks }) => count.format(clicks) },
]

/** The answer as lines for people. */
export function describeReconciliation({ meta, data }: ReconciliationAnswer): string {
  const clicks = data.reduce((sum, hour) => sum + hour.clicks, 0)
  const compared = data.filter(({ state }) => state === 'compared').length
  const rows = data.flatMap(({ hour, differences }) => differences.map((d) => ({ hour, ...d })))
  const totals = Object.entries(meta.totals).map(([name, n]) => `${count.format(n)} ${name}`)
  const waiting = data.filter(({ state }) => state === 'waiting')
  const examples = data.flatMap(({ differences }) =>
    differences.filter((d) => isAlarming(d.class)).flatMap((d) => d.examples),
  )
  const said = (text: string) => text || 'nothing'
  return [
    ...(rows.length > 0 ? [table(columns, rows)] : []),
    ...examples.map(
      (e) =>
        `! ${e.event_id} of ${e.event_time}, clicks.raw ${e.raw_partition}/${e.raw_offset}: batch says ${said(e.batch)}, speed ${said(e.speed)}`,
    ),
    ...waiting.map(({ hour, detail }) => `${hour.slice(0, 16)} waits: ${detail}`),
    `${compared} hours with ${count.format(clicks)} clicks compared, ${meta.hours_waiting} waiting, ${meta.hours_unseen} not looked at yet`,
    totals.length > 0 ? `differences: ${totals.join(', ')}` : 'no differences',
    ...(meta.is_cut ? ['there is more than is shown: ask for a shorter range'] : []),
  ].join('\n')
}

const parseIso = createTimeParser('iso')

function timeOption(name: string, text: string): string {
  const time = parseIso(text)
  if (time === undefined) {
    throw new WrongUse(`${name}: ${text} is not a time in ISO 8601, such as 2026-11-22`)
  }
  return new Date(time).toISOString()
}

export function addReconcileCommand(program: Command): void {
  const command = program
    .command('reconcile')
    .description('where batch and the speed layer differ, and why')
    .requiredOption('--from <time>', 'first hour')
    .requiredOption('--to <time>', 'exclusive')
    .option('--json', 'print all of it as JSON')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (options: Options) => {
    const range = { from: timeOption('--from', options.from), to: timeOption('--to', options.to) }
    if (range.from >= range.to) throw new WrongUse('--from must be before --to')
    const session = sessionOptions(options, signalAbort())
    const answer = await withInstance(session, ({ api }) =>
      api.read('getReconciliation', { query: range }),
    )
    if (options.json) printJson(answer)
    else print(describeReconciliation(answer as ReconciliationAnswer))
  })
}
