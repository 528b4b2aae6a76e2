// Runs as people read them: the plan, what would change, what a rehearsal found. And following one until
// it ends or waits for somebody.
import { pause } from '#platform/wait.ts'
import { ClickledgerError, isErrorCode } from '#schemas/errors.ts'
import type { SumMetricName } from '#schemas/metrics.ts'
import type { Diff, DiffLine } from '../batch-layer/rebuild/diff.ts'
import type { Rehearsal } from '../batch-layer/rebuild/rehearsal.ts'
import type { Run } from '../serving/runs.ts'
import { createProgress } from './progress.ts'
import type { Session } from './session.ts'
import { type Column, table } from './table.ts'

const pollMs = 200

type Line = DiffLine

/** A run as the API answers it. */
export interface BackfillRun extends Omit<Run, 'diff'> {
  readonly diff: Diff | null
}

const count = new Intl.NumberFormat('en-US')
const signed = new Intl.NumberFormat('en-US', { signDisplay: 'exceptZero' })
const change = (before: number, after: number) =>
  `${signed.format(after - before)}${before > 0 ? ` (${signed.format(Math.round(((after - before) / before) * 1000) / 10)}%)` : ''}`

const metrics: readonly [name: SumMetricName, title: string][] = [
  ['click_count', 'valid'],
  ['duplicate_click_count', 'duplicate'],
  ['fraudulent_click_count', 'invalid'],
]
const countColumns: readonly Column<Line>[] = metrics.flatMap(([name, title]) => [
  { title, right: true, of: ({ after }: Line) => count.format(after[name]) },
  {
    title: 'change',
    right: true,
    of: ({ before, after }: Line) => change(before[name], after[name]),
  },
])

/** Lines under their first columns. */
const countTable = <L extends Line>(first: readonly Column<L>[], lines: readonly L[]) =>
  lines.length > 0 ? [table([...first, ...countColumns], lines)] : []

/** The plan in a line. */
export function planLine({ plan }: BackfillRun): string {
  if (!plan) return 'not planned yet'
  const expected =
    plan.expected_seconds === null ? '' : `, about ${count.format(plan.expected_seconds)} s`
  return `${plan.hours} hours from ${plan.from} to ${plan.to}: ${count.format(plan.clicks)} clicks in ${plan.files} files (${count.format(Math.ceil(plan.bytes / 1024))} KiB), rule set ${plan.rule_sets.join(', ')}${expected}`
}

/** What publishing changes. */
export function diffTable(diff: Diff): string {
  const shown = diff.violations.length
  return [
    `${diff.changedHours} hours change`,
    ...countTable([{ title: 'hour', of: ({ hour }) => hour }], diff.hours),
    ...countTable([{ title: 'advertiser', of: (l) => l.advertiser_id }], diff.advertisers),
    ...(shown > 0
      ? [
          `Guard rails (${diff.violationsTotal}${diff.violationsTotal > shown ? `, the first ${shown}` : ''}):`,
          table(
            [
              { title: 'alarm', of: (v) => v.alarm },
              { title: 'hour', of: (v) => v.hour },
              { title: 'advertiser', of: (v) => v.advertiser_id || '(all)' },
              { title: 'before', right: true, of: (v) => count.format(v.before) },
              { title: 'after', right: true, of: (v) => count.format(v.after) },
            ],
            diff.violations,
          ),
        ]
      : []),
  ].join('\n\n')
}

/** What a rule set would have done. */
export function rehearsalTable({ clicks, total, rules, advertisers, changed }: Rehearsal): string {
  const more = changed > advertisers.length ? `, the first ${advertisers.length}` : ''
  return [
    `${count.format(clicks)} clicks judged; nothing is published`,
    table(countColumns, [total]),
    table(
      [
        { title: 'rule', of: (r) => r.rule },
        { title: 'catches now', right: true, of: (r) => count.format(r.before) },
        { title: 'would catch', right: true, of: (r) => count.format(r.after) },
        { title: 'change', right: true, of: (r) => change(r.before, r.after) },
      ],
      rules,
    ),
    `Advertisers and days that change: ${changed}${more}`,
    ...countTable(
      [
        { title: 'advertiser', of: (l) => l.advertiser_id },
        { title: 'day', of: (l) => l.day },
      ],
      advertisers,
    ),
  ].join('\n\n')
}

export const readRun = (session: Session, runId: string): Promise<BackfillRun> =>
  session.api.get(`/v1/backfills/${encodeURIComponent(runId)}`) as Promise<BackfillRun>

const rests = new Set(['done', 'awaiting-approval', 'cancelled', 'interrupted'])

/**
 * Follows a run with a progress bar until it ends or waits for approval.
 * @throws ClickledgerError where it failed
 */
export async function followRun(
  session: Session,
  runId: string,
  label: string,
): Promise<BackfillRun> {
  const progress = createProgress(label, 'clicks')
  for (;;) {
    const run = await readRun(session, runId)
    const { hours, hours_done, clicks } = run
    if (hours > 0) progress.update({ done: hours_done, total: hours, items: clicks })
    if (rests.has(run.status)) {
      progress.finish()
      return run
    }
    if (run.status === 'failed') {
      progress.finish()
      const { code, error } = (run.result ?? {}) as { code?: unknown; error?: unknown }
      throw new ClickledgerError(isErrorCode(code) ? code : 'internal', `run ${runId}: ${error}`)
    }
    await pause(pollMs, session.signal)
    session.signal?.throwIfAborted()
  }
}
