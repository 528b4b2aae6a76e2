// The chart's buckets as a table, newest first: for screen readers, for copying, for checking.
// Drawn only while it is open, and only so many rows.
import { grossOf } from './buckets.js'
import { h } from './dom.js'
import { formatBucket, formatCount } from './format.js'

const rowsMax = 500

/** @param {HTMLElement} details */
export function createTable(details) {
  const place = details.querySelector('.scroll')
  let view
  const draw = () => {
    if (details.open && view) place.replaceChildren(tableOf(view))
  }
  details.addEventListener('toggle', draw)
  return (next) => {
    view = next
    draw()
  }
}

function tableOf({ buckets, granularity, timeZone }) {
  const begun = buckets.filter(({ future }) => !future).reverse()
  const heads = [granularity, 'valid', 'gross', 'duplicate', 'invalid', 'state']
  const rows = begun
    .slice(0, rowsMax)
    .map((bucket) =>
      h(
        'tr',
        { class: bucket.provenance },
        h('th', { scope: 'row' }, formatBucket(bucket, granularity, timeZone)),
        ...[bucket.valid, grossOf(bucket), bucket.duplicate, bucket.invalid].map((count) =>
          h('td', {}, formatCount(count)),
        ),
        h('td', {}, bucket.provenance),
      ),
    )
  return h(
    'table',
    {},
    h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, ...rows),
    begun.length > rowsMax
      ? h('caption', {}, `The newest ${rowsMax} of ${begun.length} buckets.`)
      : undefined,
  )
}
