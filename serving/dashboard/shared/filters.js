// Filters, in the API's own syntax: `country==US,IL;device_type!=bot;campaign_id=^summer`. The
// page's URL carries the same text as the request, so one can be pasted into the other.

/** @typedef {{ dimension: string, operator: '==' | '!=' | '=^', values: string[] }} Filter */

export const operatorWords = { '==': 'is', '!=': 'is not', '=^': 'starts with' }

const pattern = /^\s*([a-z_0-9]+)\s*(==|!=|=\^)(.*)$/s

/** Splits at `separator`, except after a backslash; the pieces keep their backslashes. */
const splitEscaped = (text, separator) =>
  [...text.matchAll(new RegExp(`(?:^|${separator})((?:\\\\.|[^\\\\${separator}])*)`, 'gs'))].map(
    ([, piece]) => piece,
  )

/**
 * @param {string} text
 * @returns {Filter[]} faulty parts are left out
 */
export function parseFilters(text) {
  return splitEscaped(text, ';').flatMap((part) => {
    const [, dimension, operator, list] = pattern.exec(part) ?? []
    if (!dimension) return []
    const values = splitEscaped(list, ',').map((value) => value.replace(/\\(.)/gs, '$1'))
    return [{ dimension, operator: /** @type {Filter['operator']} */ (operator), values }]
  })
}

/**
 * @param {readonly Filter[]} filters
 * @returns {string}
 */
export function formatFilters(filters) {
  return filters
    .map(
      ({ dimension, operator, values }) => dimension + operator + values.map(escapeValue).join(','),
    )
    .join(';')
}

const escapeValue = (value) => value.replace(/[\\,;]/g, '\\$&')

/**
 * Adds or removes one value of a dimension; the last value removed takes the filter with it.
 * @param {readonly Filter[]} filters
 * @param {string} dimension
 * @param {string} value
 * @returns {Filter[]}
 */
export function toggleValue(filters, dimension, value) {
  const at = filters.findIndex((f) => f.dimension === dimension && f.operator === '==')
  const current = filters[at]
  if (!current) return [...filters, { dimension, operator: '==', values: [value] }]
  const values = current.values.includes(value)
    ? current.values.filter((v) => v !== value)
    : [...current.values, value]
  return filters.flatMap((f, i) => (i !== at ? [f] : values.length > 0 ? [{ ...f, values }] : []))
}

/**
 * Adds a value with any operator, merging with the filter of the same dimension and operator.
 * A prefix has one value: the new one replaces the old.
 * @param {readonly Filter[]} filters
 * @param {Filter} added
 * @returns {Filter[]}
 */
export function addFilter(filters, added) {
  const same = filters.find((f) => f.dimension === added.dimension && f.operator === added.operator)
  if (!same) return [...filters, added]
  const values =
    added.operator === '=^' ? added.values : [...new Set([...same.values, ...added.values])]
  return filters.map((f) => (f === same ? { ...f, values } : f))
}

/**
 * The filters a breakdown by `dimension` is asked with: its own selection does not apply to it,
 * else a second value could never be chosen.
 * @param {readonly Filter[]} filters
 * @param {string} dimension
 */
export const filtersBut = (filters, dimension) =>
  filters.filter((f) => f.dimension !== dimension || f.operator !== '==')
