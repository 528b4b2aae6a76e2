// Questions before acts: a dialog that names the act and what it does, with the keyboard's focus on the
// way out, not on the act.
import { h, rememberFocus } from '../shared/dom.js'

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.words what the act does
 * @param {string} question.act the button's label
 * @param {boolean} [question.wantsReason]
 * @returns {Promise<{ reason: string } | undefined>} undefined: the reader thought better of it
 */
export function ask({ title, words, act, wantsReason = false }) {
  const reason = h('input', { name: 'reason', required: true, maxlength: 512, autocomplete: 'off' })
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'ask-title', 'aria-describedby': 'ask-words' },
    h(
      'form',
      { method: 'dialog' },
      h('h2', { id: 'ask-title' }, title),
      h('p', { id: 'ask-words' }, words),
      wantsReason ? h('label', { class: 'field' }, 'Reason ', reason) : undefined,
      h(
        'p',
        { class: 'line' },
        h('button', { value: 'no', formnovalidate: true, autofocus: !wantsReason }, 'Not now'),
        h('button', { value: 'yes', class: 'primary' }, act),
      ),
    ),
  )
  const focusBack = rememberFocus()
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const isYes = dialog.returnValue === 'yes'
      dialog.remove()
      focusBack()
      resolve(isYes ? { reason: reason.value.trim() } : undefined)
    })
  })
}
