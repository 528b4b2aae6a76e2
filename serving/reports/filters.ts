// `filters` and `order` -> values. Every fault names the parameter and what it should be.
import type { SortKey } from '#core/report-order.ts'
import type { Filter } from '#core/report-query.ts'
import { type DimensionName, dimensionNames, isDimension } from '#schemas/dimensions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { type MetricName, metricNames } from '#schemas/metrics.ts'

const filterValueCharsMax = 256
const orderKeysMax = 8

/** @throws ClickledgerError `bad-request` */
export function fault(detail: string): never {
  throw new ClickledgerError('bad-request', detail)
}

/** A value as faults show it. */
export const shown = (text: string) =>
  JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}..` : text)

/** Splits at `separator`, except after a backslash; the pieces keep their backslashes. */
function splitEscaped(text: string, separator: string): string[] {
  const pieces: string[] = []
  let piece = ''
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    if (c === separator) {
      pieces.push(piece)
      piece = ''
    } else {
      piece += c
      if (c === '\\' && i + 1 < text.length) piece += text.charAt(++i)
    }
  }
  return [...pieces, piece]
}

const operators = { '==': 'in', '!=': 'not-in', '=^': 'prefix' } as const

function parseFilter(text: string): Filter {
  const match = /^\s*([a-z_0-9]+)\s*(==|!=|=\^)(.*)$/s.exec(text)
  if (!match) {
    return fault(
      `filters: ${shown(text)} should look like country==US,IL or device_type!=bot or campaign_id=^summer`,
    )
  }
  const [, dimension = '', operator = '', list = ''] = match
  if (!isDimension(dimension)) {
    return fault(`filters: ${shown(dimension)} is not one of ${dimensionNames.join(', ')}`)
  }
  const values = splitEscaped(list, ',').map((value) => value.replace(/\\(.)/gs, '$1'))
  if (values.length > limits.reportFilterValuesMax) {
    fault(`filters: ${dimension} has more than ${limits.reportFilterValuesMax} values`)
  }
  for (const value of values) {
    if (value.length > filterValueCharsMax) fault(`filters: a value of ${dimension} is too long`)
    if (value.includes('\u0000')) fault(`filters: a value of ${dimension} has a NUL character`)
    if (operator === '=^' && value === '') fault(`filters: ${dimension}=^ needs a prefix`)
  }
  return { dimension, kind: operators[operator as keyof typeof operators], values }
}

/**
 * Parses `country==US,IL;device_type!=bot;campaign_id=^summer`: `==` one of, `!=` none of, `=^`
 * begins with; `;` means and. A backslash takes away the meaning of `,`, `;` and `\`.
 * @throws ClickledgerError `bad-request`
 */
export function parseFilters(text: string | undefined): Filter[] {
  if (text === undefined || text.trim() === '') return []
  const pieces = splitEscaped(text, ';').filter((piece) => piece.trim() !== '')
  if (pieces.length > limits.reportFiltersMax) {
    fault(`filters: more than ${limits.reportFiltersMax}`)
  }
  return pieces.map(parseFilter)
}

interface Columns {
  readonly dimensions: readonly DimensionName[]
  readonly metrics: readonly MetricName[]
}

function parseKey(text: string, { dimensions, metrics }: Columns): SortKey {
  const descending = text.startsWith('-')
  const by = descending ? text.slice(1) : text
  const found = ['time' as const, ...dimensions, ...metrics].find((name) => name === by)
  if (found) return { by: found, descending }
  const isMetric = (metricNames as readonly string[]).includes(by)
  if (!isMetric && !isDimension(by)) {
    return fault(`order: ${shown(text)} should look like -click_count,time`)
  }
  return fault(
    `order: ${shown(by)} is not in the answer; add it to ${isMetric ? 'metrics' : 'dimensions'}`,
  )
}

/**
 * Parses `-click_count,time`: keys in their order, `-` for greatest first.
 * @throws ClickledgerError `bad-request`
 */
export function parseOrder(text: string | undefined, columns: Columns): SortKey[] {
  const pieces = (text ?? '').split(',').map((piece) => piece.trim())
  const keys = pieces.filter((piece) => piece !== '').map((piece) => parseKey(piece, columns))
  if (keys.length > orderKeysMax) fault(`order: more than ${orderKeysMax} keys`)
  return keys
}
