// The view of operation, for engineers and administrators: how fresh, what the boundary waits for, runs
// and what they change, reconciliation, dead letters. The address says which run and hours are open.
import { h } from '../shared/dom.js'
import { createDeadLetters } from './dead-letters.js'
import { createBoundary, createLayers } from './layers.js'
import { createPlan } from './plan.js'
import { createReconciliation } from './reconciliation.js'
import { createRun } from './run.js'
import { createRuns } from './runs.js'

/** @param {HTMLElement} place @param {object} page as in reports/main.js */
export function createOperation(place, page) {
  const said = h('p', { class: 'said', role: 'status' })
  const state = { run: '', from: '', to: '' }
  let parts
  const searchOf = (some) => {
    const all = Object.entries({ ...state, ...some }).filter(([, value]) => value !== '')
    return new URLSearchParams(all).toString()
  }
  const build = (api) => {
    const hrefOf = (run) => page.address(searchOf({ run }))
    const open = (run) => page.go(searchOf({ run }))
    const say = (words) => {
      said.textContent = words
    }
    const common = { api, open, hrefOf, say, current: () => state.run }
    const plan = createPlan(common)
    parts = {
      layers: createLayers(api),
      boundary: createBoundary(api, (boundary) => plan.suggest(boundary)),
      run: createRun(common),
      runs: createRuns(api, hrefOf),
      reconciliation: createReconciliation({
        api,
        range: () => state,
        choose: (range) => page.go(searchOf(range)),
      }),
      letters: createDeadLetters(common),
    }
    const { layers, boundary, run, runs, reconciliation, letters } = parts
    const top = h('div', { class: 'halves' }, layers.element, boundary.element)
    const rest = [run, runs].map(({ element }) => element)
    place.replaceChildren(said, top, ...rest, plan.element, reconciliation.element, letters.element)
  }
  const refresh = () => {
    if (!parts || document.hidden) return
    for (const [name, part] of Object.entries(parts)) {
      part.element.hidden = name === 'run' ? state.run === '' : part.element.hidden
      if (name === 'run' && state.run === '') part.stop()
      else void part.refresh()
    }
  }
  const stop = () => {
    for (const part of Object.values(parts ?? {})) part.stop()
  }
  document.addEventListener('visibilitychange', () => (document.hidden ? stop() : refresh()))

  return {
    open: ({ api }) => build(api),
    show(search) {
      const query = new URLSearchParams(search)
      const before = state.run
      for (const name of Object.keys(state)) state[name] = query.get(name) ?? ''
      document.title = 'Operation · clickledger'
      refresh()
      if (state.run && state.run !== before) parts.run.heading.focus()
    },
    close() {
      stop()
      parts = undefined
      place.replaceChildren()
    },
  }
}
