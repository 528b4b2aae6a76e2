// The few DOM helpers this page needs. Text always goes in as text nodes, never as HTML: ids and
// names come from outside.

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id)
  if (!element) throw new Error(`no element #${id}`)
  return element
}

/**
 * Makes an element; `on*` attributes are listeners, undefined and false leave the attribute out.
 * @param {string} tag
 * @param {Record<string, unknown>} attributes
 * @param {...(Node | string | undefined)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function')
      element.addEventListener(name.slice(2), /** @type {any} */ (value))
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...children.filter((child) => child !== undefined))
  return element
}

/**
 * Makes the children of `parent` follow `items`, keeping elements (and with them focus and
 * transitions) by key.
 * @template T
 * @param {HTMLElement} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} create
 * @param {(element: HTMLElement, item: T) => void} update
 */
export function keyed(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((child) => [child.getAttribute('data-key'), child]))
  items.forEach((item, index) => {
    const key = keyOf(item)
    const kept = /** @type {HTMLElement | undefined} */ (old.get(key))
    const element = kept ?? create(item)
    element.setAttribute('data-key', key)
    old.delete(key)
    update(element, item)
    if (parent.children[index] !== element)
      parent.insertBefore(element, parent.children[index] ?? null)
  })
  for (const gone of old.values()) gone.remove()
}

/**
 * Sets text only where it differs, so that a selection survives a refresh.
 * @param {Element | null} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text
}

/**
 * @param {Element | null} [place] where it is drawn anew
 * @returns gives the focus back to what has it now, or to what was drawn in its stead
 */
export function rememberFocus(place) {
  const active = document.activeElement
  const within = place ?? active?.closest('section')
  const name = active?.getAttribute('data-focus')
  return () => {
    const anew = name ? within?.querySelector(`[data-focus="${CSS.escape(name)}"]`) : undefined
    const same = active?.isConnected ? active : anew
    same?.focus()
  }
}
