// If-Match and If-None-Match (RFC 9110) over revisions. A weak tag is taken for a strong one: proxies
// that compress weaken tags, and a revision says exactly what was read.
import { ClickledgerError } from '#schemas/errors.ts'

export const etagOf = (revision: number): string => `"${revision}"`

export interface Preconditions {
  /** Revisions that may be changed; `any`: whatever is there; undefined: nothing was said. */
  readonly match: readonly number[] | 'any' | undefined
  /** Nothing may be there yet. */
  readonly createOnly: boolean
}

/** The revisions of a list of tags; `any` for `*`. Tags of other shapes match nothing. */
function tagsOf(header: string): readonly number[] | 'any' {
  if (header.trim() === '*') return 'any'
  return [...header.matchAll(/(?:W\/)?"(\d{1,15})"/g)].map(([, digits]) => Number(digits))
}

/** @throws ClickledgerError `bad-request` */
export function preconditionsOf(headers: {
  readonly 'if-match'?: string | undefined
  readonly 'if-none-match'?: string | undefined
}): Preconditions {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers
  if (noneMatch !== undefined && noneMatch.trim() !== '*') {
    throw new ClickledgerError('bad-request', 'header If-None-Match: only * is possible here')
  }
  return {
    match: match === undefined ? undefined : tagsOf(match),
    createOnly: noneMatch !== undefined,
  }
}

/** Whether what a client holds is what there is: the answer to a GET is 304 then. */
export function isUnchanged(header: string | undefined, revision: number): boolean {
  if (header === undefined) return false
  const tags = tagsOf(header)
  return tags === 'any' || tags.includes(revision)
}

/** Refuses a change of what the caller has not seen. @throws ClickledgerError `precondition-..` */
export function demandMatch({ match, createOnly }: Preconditions, revision: number): void {
  if (createOnly) throw new ClickledgerError('precondition-failed', 'It exists already.')
  if (match === undefined) throw new ClickledgerError('precondition-required')
  if (match !== 'any' && !match.includes(revision)) {
    throw new ClickledgerError('precondition-failed', `It is at revision ${revision} now.`)
  }
}
