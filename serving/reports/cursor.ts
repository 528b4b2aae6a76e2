// Cursors of paged reports: the position after which to go on, and what the first page was answered
// from (boundary, runs, query). They are sealed with the instance's secret for one tenant: a position
// is only ever one that this instance gave to the same tenant.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Position } from '#core/report-order.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'

export interface Cursor {
  /** The boundary record that every page is answered at. */
  readonly boundaryId: number
  /** The range of the first page, for requests that leave it to the default. */
  readonly start: number
  readonly end: number // exclusive
  readonly after: Position
  /** Of the query and of the runs behind the numbers. */
  readonly fingerprint: string
}

/** A cursor as it came in: nothing of it is to be believed before `isGenuine`. */
export interface SealedCursor extends Cursor {
  readonly text: string
}

export interface Sealing {
  readonly key: Uint8Array
  /** Whose cursor it is. */
  readonly tenant: string
}

const fingerprintChars = 22
const sealChars = 22 // 128 bits

/** A short hash of any JSON value. */
export function fingerprintOf(value: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(value)).digest('base64url')
  return hash.slice(0, fingerprintChars)
}

function sealOf({ key, tenant }: Sealing, body: string): string {
  const mac = createHmac('sha256', key).update(JSON.stringify([tenant, body]))
  return mac.digest('base64url').slice(0, sealChars)
}

/** @throws ClickledgerError `query-too-large` where the last row's dimensions are too long */
export function encodeCursor(cursor: Cursor, sealing: Sealing): string {
  const { boundaryId, start, end, after, fingerprint } = cursor
  const json = JSON.stringify([boundaryId, start, end, after, fingerprint])
  const body = Buffer.from(json).toString('base64url')
  const text = `${body}.${sealOf(sealing, body)}`
  if (text.length <= limits.cursorCharsMax) return text
  throw new ClickledgerError(
    'query-too-large',
    'limit: the dimensions of the last row are too long for a cursor; ask for fewer dimensions, or for all rows as one page.',
  )
}

const refused = () =>
  new ClickledgerError('bad-request', 'cursor: send `meta.next` of the last page as it is')

const isTime = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0

function parts(text: string): unknown[] {
  const body = text.slice(0, -(sealChars + 1))
  if (text.length > limits.cursorCharsMax || text.charAt(body.length) !== '.') return []
  try {
    const value: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

/** Reads a cursor. Whether it is genuine is for `assertGenuine` to say. @throws ClickledgerError `bad-request` */
export function decodeCursor(text: string): SealedCursor {
  const [boundaryId, start, end, after, fingerprint] = parts(text)
  const isPosition =
    Array.isArray(after) && after.every((v) => typeof v === 'string' || Number.isFinite(v))
  if (!isTime(boundaryId) || !isTime(start) || !isTime(end) || !isPosition) throw refused()
  return {
    ...{ text, after, fingerprint: String(fingerprint) },
    ...{ boundaryId: Number(boundaryId), start: Number(start), end: Number(end) },
  }
}

/** @throws ClickledgerError `bad-request` where it was changed, or made for another tenant */
export function assertGenuine({ text }: SealedCursor, sealing: Sealing): void {
  const given = Buffer.from(text.slice(-sealChars))
  const right = Buffer.from(sealOf(sealing, text.slice(0, -(sealChars + 1))))
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw refused()
}
