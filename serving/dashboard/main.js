// Wiring: the key says who reads, the address says what is shown; each view loads its own files. Which
// views are offered is a convenience: what may be seen is decided by the API.
import { createApi } from './shared/api.js'
import { byId, h, setText } from './shared/dom.js'
import { dropKey, keepKey, takeKey } from './shared/key.js'
import { drawProblem } from './shared/notice.js'
import { startTheme } from './shared/theme.js'

const unknownKey = 'The server does not know this key. It may have expired or been revoked.'
const operators = ['engineer', 'admin']
const views = {
  reports: {
    label: 'Reports',
    isFor: () => true,
    files: ['/vendor/uPlot.min.css', '/reports.css', '/vendor/uPlot.iife.min.js'],
    load: async () => (await import('./reports/main.js')).createReports,
  },
  operation: {
    label: 'Operation',
    isFor: ({ role }) => operators.includes(role),
    files: ['/operation.css'],
    load: async () => (await import('./operation/main.js')).createOperation,
  },
}

/** Of the reader who is signed in; undefined while nobody is. */
let session
/** Views that have been loaded. */
const made = {}
let shown = ''

const defaultView = ({ role }) => (role === 'engineer' ? 'operation' : 'reports')
const viewOf = (search, me) => {
  const name = new URLSearchParams(search).get('view') ?? ''
  return Object.hasOwn(views, name) && views[name].isFor(me) ? name : defaultView(me)
}

/** The address of a view: its own query string, and its name where that is not the first choice. */
function addressOf(name, search) {
  const named = session && name !== defaultView(session.me) ? `view=${name}` : ''
  const rest = search.replace(/^\?/, '')
  const query = [named, rest].filter(Boolean).join('&')
  return query ? `/?${query}` : '/'
}

function go(address) {
  const search = address.slice(1)
  if (search !== location.search) history.pushState(null, '', address)
  void show()
}

async function show() {
  if (!session) return
  const asked = session
  const name = viewOf(location.search, session.me)
  made[name] ??= await load(name)
  // Meanwhile the reader may have gone elsewhere.
  if (session !== asked || viewOf(location.search, session.me) !== name) return
  if (shown !== name) {
    if (shown) made[shown].close()
    for (const other of Object.keys(views)) byId(other).hidden = other !== name
    shown = name
    made[name].open(session)
    drawNavigation()
  }
  made[name].show(location.search)
}

async function load(name) {
  const { files, load: loadModule } = views[name]
  await Promise.all(files.map(addFile))
  const create = await loadModule()
  return create(byId(name), {
    go: (search) => go(addressOf(name, search)),
    address: (search) => addressOf(name, search),
  })
}

/** A style sheet or a classic script; both are of use only once they are there. */
function addFile(path) {
  const element = path.endsWith('.css')
    ? h('link', { rel: 'stylesheet', href: path })
    : h('script', { src: path })
  return new Promise((resolve, reject) => {
    element.addEventListener('load', resolve)
    element.addEventListener('error', () => reject(new Error(`${path} could not be loaded`)))
    document.head.append(element)
  })
}

function drawNavigation() {
  const offered = Object.entries(views).filter(([, { isFor }]) => isFor(session.me))
  const link = ([name, { label }]) =>
    h('a', { href: addressOf(name, ''), 'aria-current': name === shown && 'page' }, label)
  byId('views').hidden = offered.length < 2
  byId('views').replaceChildren(...offered.map(link))
}

function drawReader({ role, advertiser_ids, publisher_ids, name }) {
  const whose = [...advertiser_ids, ...publisher_ids].join(', ') || name
  setText(byId('reader'), [whose, role].filter(Boolean).join(' · '))
}

function showGate(is) {
  byId('gate').hidden = !is
  for (const id of ['main', 'forget-key', 'views', 'reader']) byId(id).hidden = is
}

function askForKey(reason) {
  if (shown) made[shown].close()
  shown = ''
  session = undefined
  dropKey()
  showGate(true)
  setText(byId('gate-reason'), reason)
  byId('key').focus()
}

async function open(key) {
  showGate(false)
  const api = createApi(key, () => askForKey(unknownKey))
  try {
    session = { api, me: await api.get('/v1/me') }
    drawProblem(byId('notice'), undefined)
    drawReader(session.me)
    await show()
  } catch (error) {
    if (error.status !== 401) drawProblem(byId('notice'), error, () => open(key))
  }
}

byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault()
  const key = byId('key').value.trim()
  if (!key) return
  byId('key').value = ''
  keepKey(key)
  void open(key)
})
byId('forget-key').addEventListener('click', () => {
  dropKey()
  // A page of its own: nothing that was read stays in memory.
  location.assign('/')
})
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="/"]')
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0
  if (!link || !isPlain || new URL(link.href).pathname !== '/') return
  event.preventDefault()
  go(link.getAttribute('href'))
})
addEventListener('popstate', () => void show())
addEventListener('hashchange', () => {
  if (!location.hash.includes('key=')) return
  const key = takeKey()
  if (shown) made[shown].close()
  shown = ''
  void open(key)
})
startTheme(byId('theme'), () => {
  for (const view of Object.values(made)) view.recolour?.()
})
byId('footer').append(
  h('a', { href: '/openapi.json' }, 'API description'),
  h('span', {}, 'Counts are by the time of the click. Unique users are never sums of buckets.'),
)

const key = takeKey()
if (key) void open(key)
else askForKey('')
