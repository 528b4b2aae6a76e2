// Macros in an ad's target. A target is compiled once and filled per click. `{name}` inserts the
// value as it is; `%7Bname%7D`, as URL builders and nested URLs write it, inserts it URL-encoded.
// Nothing is ever replaced in scheme, host or port: a click must not decide where a browser goes.

export const macroNames = [
  'click_id',
  'impression_id',
  'ad_id',
  'campaign_id',
  'publisher_id',
  'cachebuster',
] as const
export type MacroName = (typeof macroNames)[number]
export type MacroValues = Readonly<Record<MacroName, string>>

type Piece = string | { readonly name: MacroName; readonly encode: boolean }

/** A target ready to be filled; ASCII only, so that it fits a Location header. */
export interface CompiledTarget {
  /** The text it was compiled from. */
  readonly text: string
  readonly pieces: readonly Piece[]
}

const macroPattern = new RegExp(
  `\\{(${macroNames.join('|')})\\}|%7B(${macroNames.join('|')})%7D`,
  'gi',
)

/**
 * Compiles a target.
 * @param text - an absolute http or https URL, checked before (platform/catalogue/ads.ts, targetFault)
 * @returns undefined where the text is no such URL after all
 */
export function compileTarget(text: string): CompiledTarget | undefined {
  const authority = /^https?:\/\/[^/?#\\\s]+/i.exec(text)?.[0]
  if (!authority || !URL.canParse(authority)) return undefined
  const { protocol, host } = new URL(authority) // an international host name becomes ASCII
  const rest = toAscii(text.slice(authority.length))
  const pieces: Piece[] = []
  let literal = `${protocol}//${host}`
  let end = 0
  for (const match of rest.matchAll(macroPattern)) {
    literal += rest.slice(end, match.index)
    end = match.index + match[0].length
    const name = (match[1] ?? match[2] ?? '').toLowerCase() as MacroName
    pieces.push(literal, { name, encode: match[1] === undefined })
    literal = ''
  }
  literal += rest.slice(end)
  if (literal !== '') pieces.push(literal)
  return { text, pieces }
}

/** Fills a compiled target. Values are ids of schemas/limits.ts, idPattern: they end no component. */
export function fillTarget(target: CompiledTarget, values: MacroValues): string {
  const [first] = target.pieces
  if (target.pieces.length === 1 && typeof first === 'string') return first
  let url = ''
  for (const piece of target.pieces) {
    if (typeof piece === 'string') url += piece
    else url += piece.encode ? encodeURIComponent(values[piece.name]) : values[piece.name]
  }
  return url
}

const toAscii = (text: string): string =>
  text.toWellFormed().replace(/[^\x21-\x7e]+/g, (part) => encodeURIComponent(part))
