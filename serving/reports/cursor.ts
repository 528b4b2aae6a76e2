// Cursors of paged reports: where to go on, and a fingerprint of the query and of the published
// numbers it was made for. A cursor that no longer fits is refused: pages of two different answers
// would add up to a wrong total.
import { createHash } from 'node:crypto'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'

export interface Cursor {
  readonly offset: number
  /** The range of the first page, for requests that leave it to the default. */
  readonly start: number
  readonly end: number
  readonly fingerprint: string
}

const fingerprintChars = 22
const cursorCharsMax = 256

/** A short hash of any JSON value. */
export function fingerprintOf(value: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(value)).digest('base64url')
  return hash.slice(0, fingerprintChars)
}

export function encodeCursor({ offset, start, end, fingerprint }: Cursor): string {
  return Buffer.from(JSON.stringify([offset, start, end, fingerprint])).toString('base64url')
}

const isTime = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0

/** @throws ClickledgerError `bad-request` */
export function decodeCursor(text: string): Cursor {
  const [offset, start, end, fingerprint] = parts(text)
  if (
    !isTime(offset) ||
    !isTime(start) ||
    !isTime(end) ||
    typeof fingerprint !== 'string' ||
    Number(offset) > limits.reportOffsetMax
  ) {
    throw new ClickledgerError('bad-request', 'cursor: send `meta.next` of the last page as it is')
  }
  return { offset: Number(offset), start: Number(start), end: Number(end), fingerprint }
}

function parts(text: string): unknown[] {
  if (text.length > cursorCharsMax) return []
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
