// The levels that a reader drills through, and where in them the filters stand. A level is a filter of
// one value: so breadcrumbs, chips and the address cannot contradict each other. Pure.

/** @typedef {import('../shared/filters.js').Filter} Filter */

const ownLevels = {
  advertiser: ['campaign_id', 'ad_id'],
  publisher: ['ad_id'],
  engineer: ['advertiser_id', 'campaign_id', 'ad_id'],
  admin: ['advertiser_id', 'campaign_id', 'ad_id'],
}
/** What the lowest level is broken down by. */
const below = { advertiser: 'publisher_id', publisher: 'source' }

/** @param {string} role */
export const levelsOf = (role) => ownLevels[role] ?? ownLevels.admin

/** The value that a level is narrowed to; undefined where it is not, or to several. */
const chosenValue = (filters, dimension) => {
  const own = filters.filter((f) => f.dimension === dimension && f.operator === '==')
  return own.length === 1 && own[0].values.length === 1 ? own[0].values[0] : undefined
}

/**
 * @param {readonly Filter[]} filters
 * @param {string} role
 * @returns {{ dimension: string, value: string }[]} from the top
 */
export const pathOf = (filters, role) =>
  levelsOf(role).flatMap((dimension) => {
    const value = chosenValue(filters, dimension)
    return value === undefined ? [] : [{ dimension, value }]
  })

/** The dimension of the table under a path: the level below the deepest that is chosen. */
export function nextLevel(filters, role) {
  const levels = levelsOf(role)
  const deepest = pathOf(filters, role).at(-1)?.dimension ?? ''
  return levels[levels.indexOf(deepest) + 1] ?? below[role] ?? 'publisher_id'
}

/**
 * Filters at a value of a level; those of the levels below go, all others stay.
 * @param {readonly Filter[]} filters
 * @param {string} role
 * @param {{ dimension: string, value: string } | undefined} step undefined: the top
 * @returns {Filter[]}
 */
export function stepTo(filters, role, step) {
  const levels = levelsOf(role)
  const from = step ? levels.indexOf(step.dimension) : 0
  const dropped = from < 0 ? [step?.dimension] : levels.slice(from)
  const kept = filters.filter((f) => !(dropped.includes(f.dimension) && f.operator === '=='))
  return step
    ? [...kept, { dimension: step.dimension, operator: '==', values: [step.value] }]
    : kept
}
