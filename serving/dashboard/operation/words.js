// Times and counts as operators read them: hours are UTC hours, as everywhere in the batch layer.
import { formatCount, formatDuration } from '../shared/format.js'

/** `2026-11-22 05:00` */
export const moment = (iso) =>
  String(iso ?? '')
    .replace('T', ' ')
    .slice(0, 16)

/** @param {string} iso @param {number} now ms */
export const ago = (iso, now) => `${formatDuration(now - Date.parse(iso))} ago`

/** A change of a count, with its sign and share. */
export function changeWords(before, after) {
  const change = after - before
  if (change === 0) return '0'
  const sign = change > 0 ? '+' : '−'
  const share = before > 0 ? ` (${sign}${(Math.abs(change / before) * 100).toFixed(1)}%)` : ''
  return `${sign}${formatCount(Math.abs(change))}${share}`
}

/** The value of a `datetime-local` field, meant as UTC. */
export const inputOf = (ms) => new Date(ms).toISOString().slice(0, 16)
export const isoOf = (input) => `${input}:00Z`
