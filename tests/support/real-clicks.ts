// Real click logs, read straight from their files, apart from the product's own mappings: what the
// tests compare with. Only the ids of rows come from the import's own function, because the order
// of clicks at the same instant goes by them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isbot } from 'isbot'
import type { ArchivedClick } from '#schemas/fields.ts'
import { createEventIds } from '../../cli/import/event-ids.ts'
import { readMapping } from '../../cli/import/mapping.ts'
import { openInput } from '../../cli/import/read-lines.ts'
import { readRows } from '../../cli/import/read-rows.ts'
import { clickWith } from './random-clicks.ts'

const data = fileURLToPath(new URL('../../../shared/data/', import.meta.url))

/** Why the real logs cannot be used; undefined: they are there. */
export const realClicksMissing = existsSync(join(data, 'ipinyou'))
  ? undefined
  : 'real click logs are not on this machine (../shared/data beside the checkout): skipped'

export interface RealLog {
  readonly mapping: string
  readonly files: readonly string[]
  /** One line -> what judging needs, with plain values where the product has hashes. */
  readonly click: (
    line: string,
  ) => Partial<ArchivedClick> & Pick<ArchivedClick, 'ad_id' | 'event_time'> & RealRequest
  readonly hasHeader: boolean
}

export interface RealRequest {
  readonly user: string
  readonly ip: string
  readonly agent: string
}

const filesIn = (folder: string, pattern: RegExp) =>
  existsSync(join(data, folder))
    ? readdirSync(join(data, folder))
        .filter((name) => pattern.test(name))
        .sort()
        .map((name) => join(data, folder, name))
    : []

const mappingPath = (name: string) =>
  fileURLToPath(new URL(`../../mappings/${name}.json`, import.meta.url))

/** 20130606000110312 in China time (UTC+8, no daylight saving). */
function chinaTime(text: string): number {
  const n = (from: number, to: number) => Number(text.slice(from, to))
  return Date.UTC(n(0, 4), n(4, 6) - 1, n(6, 8), n(8, 10) - 8, n(10, 12), n(12, 14), n(14, 17))
}

const botMark = (agent: string) => (agent === '' || isbot(agent) ? 'bot-user-agent' : '')

export const ipinyou: RealLog = {
  mapping: mappingPath('ipinyou'),
  files: filesIn('ipinyou', /^clk\./),
  hasHeader: false,
  click(line) {
    const cells = line.split('\t').map((cell) => (cell === 'null' ? '' : cell))
    const [bidid = '', time = '', , user = '', agent = '', ip = ''] = cells
    return {
      ...{ ad_id: cells[18] ?? '', event_time: chinaTime(time), user, ip, agent },
      ...{ advertiser_id: cells[22] ?? '', impression_id: bidid, ip_hash: ip },
      visitor: user !== '' ? user : `${ip} ${agent}`,
      marks: botMark(agent),
    }
  },
}

export const talkingdata: RealLog = {
  mapping: mappingPath('talkingdata'),
  files: filesIn('talkingdata', /\.csv$/),
  hasHeader: true,
  click(line) {
    const [ip = '', app = '', device, os, , time = ''] = line.split(',')
    const agent = `device ${device} os ${os}`
    return {
      ...{ ad_id: app, event_time: Date.parse(`${time.replace(' ', 'T')}Z`), user: '', ip, agent },
      ...{ advertiser_id: 'talkingdata', ip_hash: ip, visitor: `${ip} ${agent}` },
    }
  },
}

export interface RealClick extends ArchivedClick, RealRequest {}

/** All clicks of a log, with the ids that an import gives them. */
export async function readRealClicks(log: RealLog, files = log.files): Promise<RealClick[]> {
  const clicks: RealClick[] = []
  for (const file of files) {
    const ids: string[] = []
    const giveId = createEventIds()
    for await (const rows of readRows(await openInput(file), await readMapping(log.mapping))) {
      for (const { result } of rows) {
        if (result.kind === 'reject') throw new Error(`${file}: ${result.detail}`)
        giveId(result.click)
        ids.push(result.click.event_id ?? '')
      }
    }
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .slice(log.hasHeader ? 1 : 0)
    lines
      .filter((line) => line !== '')
      .forEach((line, i) => {
        const click = log.click(line)
        clicks.push({ ...clickWith({ ...click, event_id: ids[i] ?? '' }), ...click } as RealClick)
      })
  }
  return clicks
}
