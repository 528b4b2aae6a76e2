// What went wrong, in the server's own words, with what can be done about it.
import { h } from './dom.js'

/**
 * @param {HTMLElement} notice a place with role=alert
 * @param {Error & { title?: string, fix?: string } | undefined} error undefined: nothing, or no longer
 * @param {() => void} [retry]
 */
export function drawProblem(notice, error, retry) {
  notice.hidden = !error
  if (!error) return notice.replaceChildren()
  const { title = 'The answer could not be read.', message, fix = '' } = error
  const detail = [message === title ? '' : message, fix].filter(Boolean).join(' ')
  return notice.replaceChildren(
    ...[
      h('strong', {}, title),
      h('span', {}, detail),
      retry && h('button', { type: 'button', onclick: () => retry() }, 'Try again'),
    ].filter(Boolean),
  )
}
