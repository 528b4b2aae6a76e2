// Light, dark, or what the system says. The chart paints on a canvas, which knows no CSS
// variables: `colours()` resolves them, and must be asked again after every change.

const storageKey = 'clickledger-theme'
const order = ['auto', 'light', 'dark']
const names = { auto: 'Theme: auto', light: 'Theme: light', dark: 'Theme: dark' }
const colourNames = ['ink', 'muted', 'rule', 'paper', 'valid', 'duplicate', 'invalid', 'unsettled']

/**
 * Wires the toggle button.
 * @param {HTMLElement} button
 * @param {() => void} onChange called after the colours changed, also by the system
 */
export function startTheme(button, onChange) {
  const root = document.documentElement
  const show = () => {
    button.textContent = names[root.dataset.theme ?? 'auto']
  }
  button.addEventListener('click', () => {
    const next = order[(order.indexOf(root.dataset.theme ?? 'auto') + 1) % order.length]
    if (next === 'auto') delete root.dataset.theme
    else root.dataset.theme = next
    localStorage.setItem(storageKey, next)
    show()
    onChange()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange)
  show()
}

/**
 * The palette as colours that a canvas understands.
 * @returns {Record<string, string>}
 */
export function colours() {
  const probe = document.createElement('i')
  document.body.append(probe)
  const resolved = {}
  for (const name of colourNames) {
    probe.style.color = `var(--${name})`
    resolved[name] = getComputedStyle(probe).color
  }
  probe.remove()
  return resolved
}
