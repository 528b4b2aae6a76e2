// dlq: records that could not be processed, and a second try for them.
import type { Command } from 'commander'
import type { Api } from '../api.ts'
import { WrongUse } from '../exit.ts'
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
import { type Column, table } from '../table.ts'

interface Letter {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly at: string
  readonly reason: string
  readonly bytes: string
  readonly replayed_at: string | null
}

interface Page<Row> {
  readonly data: readonly Row[]
  readonly next: string | null
}

interface Replay {
  readonly id: string
  readonly state: string
  readonly reason?: string
}

const path = '/v1/dead-letters'
const pageMax = 200

const help = `
A record of clicks.raw that is no click, or of a schema that the speed layer did not know, stands on
clicks.dlq with its bytes and the reason, for 30 days. Upgrade what did not know it, then replay: what can
be decoded by now is judged. A click keeps its identity: replayed twice, it counts once.

Examples:
  clickledger dlq list
  clickledger dlq show 3-17
  clickledger dlq replay 3-17 3-18
  clickledger dlq replay --all`

const columns: readonly Column<Letter>[] = [
  { title: 'id', of: (letter) => letter.id },
  { title: 'at', of: (letter) => letter.at },
  { title: 'record', of: (l) => `${l.topic} ${l.partition}/${l.offset}` },
  {
    title: 'bytes',
    right: true,
    of: (l) => String(Buffer.byteLength(l.bytes, 'base64')),
  },
  { title: 'replayed', of: (letter) => letter.replayed_at ?? '' },
  { title: 'reason', of: (letter) => letter.reason },
]

const bytesPerLine = 16

/** Bytes as hex beside their characters, as `hexdump -C` shows them. */
function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += bytesPerLine) {
    const some = Buffer.from(bytes.subarray(at, at + bytesPerLine))
    const hex = [...some].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = some.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(bytesPerLine * 3)} ${text}`)
  }
  return lines.join('\n')
}

async function list(api: Api, limit: number): Promise<readonly Letter[]> {
  const letters: Letter[] = []
  let cursor: string | null = ''
  while (cursor !== null && letters.length < limit) {
    const some = Math.min(limit - letters.length, pageMax)
    const query = new URLSearchParams({ limit: String(some), ...(cursor ? { cursor } : {}) })
    const page = (await api.get(`${path}?${query}`)) as Page<Letter>
    letters.push(...page.data)
    cursor = page.next
  }
  return letters
}

async function replayAll(api: Api): Promise<readonly Replay[]> {
  const results: Replay[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const body = { all: true, ...(cursor ? { cursor } : {}) }
    const page = (await api.post(`${path}/replay`, body)) as Page<Replay>
    results.push(...page.data)
    cursor = page.next
  }
  return results
}

async function replayThese(api: Api, ids: readonly string[]): Promise<readonly Replay[]> {
  const results: Replay[] = []
  for (let at = 0; at < ids.length; at += pageMax) {
    const body = { ids: ids.slice(at, at + pageMax) }
    results.push(...((await api.post(`${path}/replay`, body)) as Page<Replay>).data)
  }
  return results
}

function printLetter({ bytes, ...rest }: Letter): void {
  for (const [name, value] of Object.entries(rest)) print(`${name.padEnd(12)} ${value ?? ''}`)
  print(hexDump(Buffer.from(bytes, 'base64')))
}

function printReplays(results: readonly Replay[]): void {
  for (const { id, state, reason } of results) {
    if (state === 'undecodable' || state === 'not-found') {
      print(`${id}: ${state}${reason ? `: ${reason}` : ''}`)
    }
  }
  const count = (wanted: string) => results.filter(({ state }) => state === wanted).length
  print(
    `${count('replayed')} replayed, ${count('already-replayed')} were before, ${count('undecodable')} still cannot be decoded, ${count('not-found')} not found`,
  )
}

interface ListOptions extends InstanceOptions {
  readonly limit: number
  readonly json?: boolean
}

interface ReplayOptions extends InstanceOptions {
  readonly all?: boolean
  readonly json?: boolean
}

const onApi = <T>(options: InstanceOptions, work: (api: Api) => Promise<T>): Promise<T> =>
  withInstance(sessionOptions(options, signalAbort()), ({ api }) => work(api))

export function addDlqCommand(program: Command): void {
  const dlq = program
    .command('dlq')
    .description('records that could not be processed: list, show, replay')
    .addHelpText('after', help)
  withInstanceOptions(dlq.command('list').description('oldest first'))
    .option('--limit <records>', 'at most', parseCount, 100)
    .option('--json', 'with their bytes')
    .action(async (options: ListOptions) => {
      const letters = await onApi(options, (api) => list(api, options.limit))
      if (options.json) printJson(letters)
      else print(letters.length === 0 ? 'No dead letters.' : table(columns, letters))
    })
  withInstanceOptions(dlq.command('show <id>').description('one record, with its bytes'))
    .option('--json', 'as JSON')
    .action(async (id: string, options: InstanceOptions & { json?: boolean }) => {
      const letter = await onApi(options, (api) => api.get(`${path}/${encodeURIComponent(id)}`))
      if (options.json) printJson(letter)
      else printLetter(letter as Letter)
    })
  withInstanceOptions(dlq.command('replay [ids...]').description('judge records again'))
    .option('--all', 'all that there are')
    .option('--json', 'print what became of each as JSON')
    .action(async (ids: readonly string[], options: ReplayOptions) => {
      if (ids.length > 0 === (options.all ?? false)) {
        throw new WrongUse('give ids, as dlq list shows them, or --all')
      }
      const results = await onApi(options, (api) =>
        options.all ? replayAll(api) : replayThese(api, ids),
      )
      if (options.json) printJson(results)
      else printReplays(results)
    })
}
