// One key's session with the server: loads what the state asks for, follows the live counts, polls
// for the rest, and pauses while nobody looks. The view gets values only.
import { ApiProblem } from '../shared/api.js'
import { formatFilters } from '../shared/filters.js'
import { later, readLive } from './buckets.js'
import { followLive } from './live.js'
import { load } from './load.js'

/** Breakdowns and uniques are not in the live counts. */
const refreshMsLive = 15_000
const refreshMsPolling = 5_000
const retryMsMin = 2_000
const retryMsMax = 30_000
/** Live counts older than this are no longer used for the newest buckets. */
const liveMsMax = 10_000

/**
 * @param {object} options
 * @param {import('../shared/api.js').Api} options.api
 * @param {{ role: string }} options.me
 * @param {ReturnType<typeof import('./view.js').createView>} options.view
 */
export function startSession({ api, me, view }) {
  const closed = new AbortController()
  let loading = new AbortController()
  let following = new AbortController()
  let timer = 0
  let failures = 0
  let followed
  /** @type {import('./state.js').State | undefined} */
  let state
  /** @type {import('./load.js').Loaded | undefined} */
  let loaded
  /** @type {import('./buckets.js').Live | undefined} */
  let live
  /** @type {import('./freshness.js').Connection} */
  let connection = { kind: 'connecting', answeredAt: 0 }
  let liveState = 'connecting'

  const draw = () => {
    const now = api.now()
    if (live && Date.now() - live.receivedAt > liveMsMax) live = undefined
    const boundary = later(loaded?.boundary ?? Number.NaN, live?.boundary ?? Number.NaN)
    const watermark = later(loaded?.watermark ?? Number.NaN, live?.watermark ?? Number.NaN)
    view.draw({ state, loaded, live, connection, boundary, watermark, now })
  }
  const setKind = (kind) => {
    connection = { ...connection, kind }
  }
  const kindNow = () =>
    liveState === 'live' ? 'live' : liveState === 'connecting' ? 'connecting' : 'polling'

  const refresh = async () => {
    clearTimeout(timer)
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    view.busy(true)
    try {
      loaded = await load(api, state, me, signal)
      if (signal.aborted) return
      failures = 0
      connection = { kind: kindNow(), answeredAt: api.now() }
      view.problem(undefined)
      draw()
      schedule(liveState === 'live' ? refreshMsLive : refreshMsPolling)
    } catch (error) {
      if (!signal.aborted) fail(error)
    } finally {
      if (!signal.aborted) view.busy(false)
    }
  }
  const schedule = (ms) => {
    clearTimeout(timer)
    timer = setTimeout(refresh, ms)
  }
  const fail = (error) => {
    if (!(error instanceof ApiProblem)) console.error(error)
    failures++
    setKind(error.status === 0 ? 'offline' : kindNow())
    view.problem(error, refresh)
    draw()
    // What the reader asked for is refused: asking again changes nothing.
    const hopeless = error.status >= 400 && error.status < 500 && error.status !== 429
    if (!hopeless) schedule(Math.min(retryMsMin * 2 ** (failures - 1), retryMsMax))
    return undefined
  }

  const follow = () => {
    const filters = formatFilters(state.filters)
    if (followed === filters) return
    followed = filters
    following.abort()
    following = new AbortController()
    live = undefined
    void followLive({ api, filters, signal: following.signal, onState: onLiveState, onCounts })
  }
  const onLiveState = (next) => {
    liveState = next
    if (connection.kind !== 'offline' || next === 'live') setKind(kindNow())
    draw()
  }
  const onCounts = (data) => {
    live = readLive(data, Date.now())
    connection = { ...connection, answeredAt: api.now() }
    // The boundary has moved: numbers that were provisional have been rebuilt.
    if (loaded && live.boundary > loaded.boundary) void refresh()
    draw()
  }
  const pause = () => {
    clearTimeout(timer)
    loading.abort()
    following.abort()
    followed = undefined
    setKind('paused')
  }
  document.addEventListener(
    'visibilitychange',
    () => {
      if (!state) return
      if (document.hidden) return pause()
      setKind('connecting')
      follow()
      return void refresh()
    },
    { signal: closed.signal },
  )
  // Seconds behind grow also while nothing arrives.
  const ticker = setInterval(() => state && !document.hidden && !live && draw(), 1_000)

  return {
    /** @param {import('./state.js').State} next */
    show(next) {
      state = next
      draw()
      follow()
      void refresh()
    },
    close() {
      pause()
      clearInterval(ticker)
      closed.abort()
    },
  }
}
