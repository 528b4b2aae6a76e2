// boundary explain: why final ends where it ends, and what is waited for.
import type { Command } from 'commander'
import {
  type InstanceOptions,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'
import { table } from '../table.ts'

interface Proof {
  readonly readAt?: number
  readonly latenessMs?: number
  readonly partitions?: readonly {
    readonly partition: number
    readonly logEnd: number
    readonly archivedEnd: number
  }[]
  readonly nodes?: readonly {
    readonly node: string
    readonly reportedAt: number
    readonly oldestUnshipped?: number
  }[]
  readonly silentNodes?: readonly string[]
}

interface Explanation {
  readonly boundary: string
  readonly published_at: string
  readonly published_by: string
  readonly reason: string
  readonly proof: Proof
  readonly next?: {
    readonly node: string
    readonly looked_seconds_ago: number
    readonly candidate: string | null
    readonly waits_for: readonly string[]
  }
}

const help = `
Below the boundary numbers are final: rebuilt from the archive. It moves to an hour's end when the archive
holds all that the log held at some moment after the allowed lateness, and no ingest node has older clicks
left.

Example:
  clickledger boundary explain`

function proofLines({
  readAt,
  latenessMs = 0,
  partitions = [],
  nodes = [],
  silentNodes = [],
}: Proof) {
  if (readAt === undefined) return ['No proof is kept with it.']
  const iso = (time: number) => new Date(time).toISOString()
  return [
    `Proof: the log was read at ${iso(readAt)}, at least ${latenessMs / 1000} s after that hour's end.`,
    table(
      [
        { title: 'partition', of: (p) => String(p.partition) },
        { title: 'log held', right: true, of: (p) => String(p.logEnd) },
        { title: 'archived', right: true, of: (p) => String(p.archivedEnd) },
      ],
      partitions,
    ),
    ...nodes.map(
      ({ node, reportedAt, oldestUnshipped }) =>
        `Ingest node ${node} said at ${iso(reportedAt)}: ${oldestUnshipped === undefined ? 'nothing unshipped' : `unshipped since ${iso(oldestUnshipped)}`}.`,
    ),
    ...silentNodes.map((node) => `Ingest node ${node} was silent for too long and not waited for.`),
  ]
}

/** The answer of GET /v1/boundary for people. */
export function explainBoundary({ next, proof, ...record }: Explanation): string {
  const { boundary, published_at, published_by, reason } = record
  const waits = next?.waits_for ?? []
  const state = !next
    ? ['No scheduler has reported: does a serve process run with CLICKLEDGER_SCHEDULER?']
    : next.candidate === null
      ? ['It is as far as the allowed lateness lets it be.']
      : waits.length === 0
        ? [`It is about to move to ${next.candidate}.`]
        : [`To move to ${next.candidate} it waits for:`, ...waits.map((what) => `- ${what}`)]
  return [
    `Boundary ${boundary}`,
    `Published ${published_at} by ${published_by}: ${reason}.`,
    ...proofLines(proof),
    ...state,
  ].join('\n')
}

export function addBoundaryCommand(program: Command): void {
  const boundary = program.command('boundary').description('where final numbers end')
  const explain = boundary
    .command('explain')
    .description('why it stands where it stands, and what it waits for')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
  withInstanceOptions(explain).action(async (options: InstanceOptions & { json?: boolean }) => {
    const session = sessionOptions(options, signalAbort())
    const answer: unknown = await withInstance(session, ({ api }) => api.read('getBoundary', {}))
    if (options.json) printJson(answer)
    else print(explainBoundary(answer as Explanation))
  })
}
