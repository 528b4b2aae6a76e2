// A part of the view that asks the API again on its own. Each part stands alone: one that fails says so
// in its place and goes on trying, the others go on.
import { h } from '../shared/dom.js'
import { drawProblem } from '../shared/notice.js'

const retryMs = 10_000

/**
 * @template T
 * @param {object} options
 * @param {string} options.id
 * @param {string} options.title
 * @param {(signal: AbortSignal) => Promise<T>} options.load
 * @param {(body: HTMLElement, value: T) => void} options.draw
 * @param {(value: T) => number} options.nextMs when to ask again
 * @param {boolean} [options.isOptional] hidden where the API has no such thing
 */
export function createPart({ id, title, load, draw, nextMs, isOptional = false }) {
  const notice = h('div', { class: 'notice', role: 'alert', hidden: true })
  const body = h('div', {})
  const heading = h('h2', { id: `${id}-title`, tabindex: -1 }, title)
  const element = h(
    'section',
    { id, class: 'part', 'aria-labelledby': `${id}-title`, hidden: isOptional },
    heading,
    notice,
    body,
  )
  let timer = 0
  let asking = new AbortController()

  const stop = () => {
    clearTimeout(timer)
    asking.abort()
  }
  const again = (ms) => {
    timer = setTimeout(refresh, ms)
  }
  const refresh = async () => {
    stop()
    asking = new AbortController()
    const { signal } = asking
    try {
      const value = await load(signal)
      if (signal.aborted) return
      element.hidden = false
      drawProblem(notice, undefined)
      draw(body, value)
      again(nextMs(value))
    } catch (error) {
      if (signal.aborted) return
      if (isOptional && error.status === 404) return
      element.hidden = false
      drawProblem(notice, error, refresh)
      again(retryMs)
    }
  }
  return { element, heading, refresh, stop, problem: (error) => drawProblem(notice, error) }
}
