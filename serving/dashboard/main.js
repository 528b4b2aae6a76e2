// Wiring: the address gives the state, the session asks the API for it, the view draws what came.
import { byId, h, setText } from './dom.js'
import { dropKey, keepKey, takeKey } from './key.js'
import { startSession } from './session.js'
import { formatState, parseState } from './state.js'
import { startTheme } from './theme.js'
import { createView } from './view.js'

let state = parseState(location.search)
/** @type {ReturnType<typeof startSession> | undefined} */
let session

function change(some) {
  state = { ...state, ...some }
  const search = formatState(state)
  if (search !== location.search) history.pushState(null, '', location.pathname + search)
  session?.show(state)
}

const view = createView(() => state, change)

function showGate(is) {
  byId('gate').hidden = !is
  for (const id of ['main', 'forget-key', 'zone-field']) byId(id).hidden = is
}

function askForKey(reason) {
  session?.close()
  session = undefined
  dropKey()
  byId('freshness').hidden = true
  showGate(true)
  setText(byId('gate-reason'), reason)
  byId('key').focus()
}

function open(key) {
  showGate(false)
  session = startSession({ key, view, onRefused: askForKey })
  session.show(state)
}

byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault()
  const key = byId('key').value.trim()
  if (!key) return
  byId('key').value = ''
  keepKey(key)
  open(key)
})
byId('forget-key').addEventListener('click', () => askForKey(''))
addEventListener('popstate', () => {
  state = parseState(location.search)
  session?.show(state)
})
addEventListener('hashchange', () => {
  session?.close()
  const key = takeKey()
  if (key) open(key)
})
startTheme(byId('theme'), () => view.recolour())
byId('footer').append(
  h('a', { href: '/openapi.json' }, 'API description'),
  h('span', {}, 'Counts are by the time of the click. Unique users are never sums of buckets.'),
)

const key = takeKey()
if (key) open(key)
else askForKey('')
