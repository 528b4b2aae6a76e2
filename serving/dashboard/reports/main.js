// The view of reports: for advertisers, publishers and operators, each with their own levels to drill
// through. The address gives the state, the session asks the API for it, the view draws what came.
import { byId } from '../shared/dom.js'
import { startSession } from './session.js'
import { formatState, parseState } from './state.js'
import { createView } from './view.js'

/**
 * @param {HTMLElement} _
 * @param {object} page
 * @param {(search: string) => void} page.go
 * @param {(search: string) => string} page.address
 */
export function createReports(_, page) {
  let state = parseState('')
  let session
  /** Who reads, and what the view's parts ask the page for. */
  const reader = { me: undefined, api: undefined }
  const change = (some) => page.go(formatState({ ...state, ...some }))
  const hrefOf = (some) => page.address(formatState({ ...state, ...some }))
  const view = createView({ current: () => state, change, hrefOf, reader })
  return {
    open({ api, me }) {
      Object.assign(reader, { api, me })
      byId('zone-field').hidden = false
      session = startSession({ api, me, view })
    },
    show(search) {
      state = parseState(search)
      session?.show(state)
    },
    close() {
      session?.close()
      session = undefined
      byId('zone-field').hidden = true
      byId('freshness').hidden = true
    },
    recolour: view.recolour,
  }
}
