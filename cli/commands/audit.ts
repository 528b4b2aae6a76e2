// audit: who did what, from the newest to the oldest.
import type { Command } from 'commander'
import {
  type InstanceOptions,
  parseCount,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'
import { table } from '../table.ts'

interface Entry {
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly detail: object
}

interface Options extends InstanceOptions {
  readonly since?: string
  readonly until?: string
  readonly actor?: string
  readonly action?: string
  readonly subject?: string
  readonly limit: number
  readonly json?: boolean
}

const pageEntries = 1_000
const detailCharsMax = 80

const help = `
Every administrative act and every export of data, from the newest to the oldest. Entries are never
changed nor removed: the database refuses it.

Examples:
  clickledger audit
  clickledger audit --action keys. --since 2026-11-01
  clickledger audit --actor engineer: --limit 1000 --json`

const columns = [
  { title: 'at', of: (entry: Entry) => entry.at.slice(0, 19).replace('T', ' ') },
  { title: 'actor', of: (entry: Entry) => entry.actor },
  { title: 'action', of: (entry: Entry) => entry.action },
  { title: 'subject', of: (entry: Entry) => entry.subject },
  { title: 'detail', of: (entry: Entry) => JSON.stringify(entry.detail).slice(0, detailCharsMax) },
]

function queryOf({ since, until, actor, action, subject }: Options): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ since, until, actor, action, subject })) {
    if (value !== undefined) query.set(name, value)
  }
  return query
}

export function addAuditCommand(program: Command): void {
  const command = program
    .command('audit')
    .description('who did what')
    .option('--since <time>', 'from this instant on, ISO 8601')
    .option('--until <time>', 'before this instant')
    .option('--actor <start>', 'what the actor begins with, such as admin:')
    .option('--action <start>', 'what the action begins with, such as keys.')
    .option('--subject <id>', 'what was acted on')
    .option('--limit <count>', 'entries at most', parseCount, 100)
    .option('--json', 'print JSON')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (options: Options) => {
    const entries = await withInstance(sessionOptions(options, signalAbort()), async ({ api }) => {
      const found: Entry[] = []
      const query = queryOf(options)
      for (;;) {
        query.set('limit', String(Math.min(pageEntries, options.limit - found.length)))
        const page = (await api.get(`/v1/audit?${query}`)) as { data: Entry[]; next: string | null }
        found.push(...page.data)
        if (page.next === null || found.length >= options.limit) return found
        query.set('cursor', page.next)
      }
    })
    if (options.json) printJson(entries)
    else print(table(columns, entries))
  })
}
