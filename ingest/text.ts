// Texts from outside, made fit to keep: cut at a limit, well-formed, without control characters
// (which engines further down read differently, or not at all).
import { idPattern, limits } from '#schemas/limits.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
const controls = /[\u0000-\u001f\u007f]/g
const unusual = /[^\u0020-\u007e]/

export function cleanText(text: string, charsMax: number): string {
  const cut = text.length > charsMax ? text.slice(0, charsMax) : text
  return unusual.test(cut) ? cut.toWellFormed().replace(controls, ' ') : cut
}

export const isId = (text: string): boolean =>
  text.length <= limits.idCharsMax && idPattern.test(text)

/** Decodes %XX and + of a query; text that is no valid encoding stays as it is. */
export function decodeQueryText(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
