// A publisher's placements, and the clicks of the ads that they show. A click names its ad and its
// publisher, not its placement: where two placements show one ad, their clicks cannot be told apart.
import { h } from '../shared/dom.js'
import { formatCount } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { countsOf } from './buckets.js'
import { stepTo } from './levels.js'

/** @param {HTMLElement} place @param {object} on */
export function createPlacements(place, { hrefOf, reader }) {
  const body = h('div', {})
  place.append(h('h2', {}, 'Your placements'), body)
  return ({ state, placements, placed }) => {
    place.hidden = !placements
    if (!placements) return
    const valid = new Map(placed.map((row) => [String(row.ad_id), countsOf(row).valid]))
    const ad = (id) =>
      h(
        'li',
        {},
        h(
          'a',
          {
            href: hrefOf({
              filters: stepTo(state.filters, reader.me.role, { dimension: 'ad_id', value: id }),
            }),
          },
          id,
        ),
        ` ${formatCount(valid.get(id) ?? 0)}`,
      )
    redraw(body, [placements, placed, state], () =>
      placements.length === 0
        ? [h('p', { class: 'muted' }, 'You have no placements yet.')]
        : [
            tableOf(
              'Placements and their ads',
              [
                { title: 'Placement', of: ({ slot }) => slot },
                {
                  title: 'Its ads, with their valid clicks',
                  of: ({ ad_ids }) => h('ul', { class: 'inline' }, ...ad_ids.map(ad)),
                },
              ],
              placements,
            ),
            h(
              'p',
              { class: 'muted' },
              'An ad that several placements show is counted over all of them.',
            ),
          ],
    )
  }
}
