// The chart's buckets as a table, newest first: for screen readers, for copying, for checking.
// Drawn only while it is open, and only so many rows.

import { h } from '../shared/dom.js'
import { formatBucket, formatCount } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { grossOf } from './buckets.js'

const rowsMax = 500

/** @param {HTMLElement} details */
export function createTable(details) {
  const place = details.querySelector('div')
  let view
  const draw = () => {
    if (details.open && view)
      redraw(place, [view.buckets, view.granularity, view.timeZone], () => drawTable(view))
  }
  details.addEventListener('toggle', draw)
  return (next) => {
    view = next
    draw()
  }
}

function drawTable({ buckets, granularity, timeZone }) {
  const begun = buckets.filter(({ future }) => !future).reverse()
  const count = (title, of) => ({ title, number: true, of: (row) => formatCount(of(row)) })
  const compares = begun.some(({ before }) => before !== undefined)
  const columns = [
    { title: granularity, of: (bucket) => formatBucket(bucket, granularity, timeZone) },
    count('valid', ({ valid }) => valid),
    ...(compares ? [count('valid before', ({ before }) => Number(before ?? 0))] : []),
    count('gross', grossOf),
    count('duplicate', ({ duplicate }) => duplicate),
    count('invalid', ({ invalid }) => invalid),
    { title: 'state', of: ({ provenance }) => provenance },
  ]
  const rows = begun.slice(0, rowsMax)
  return [
    tableOf('The chart as a table', columns, rows, ({ provenance }) => provenance),
    begun.length > rowsMax
      ? h('p', { class: 'muted' }, `The newest ${rowsMax} of ${begun.length} buckets.`)
      : undefined,
  ].filter((part) => part !== undefined)
}
