// The API key: asked for once, kept for this tab only. `#key=..` in the address is taken over and
// removed at once, so that it is neither bookmarked nor sent on with a copied address.

const storageKey = 'clickledger-key'

/** @returns {string} empty where there is none */
export function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('key')
  if (given) {
    sessionStorage.setItem(storageKey, given)
    history.replaceState(history.state, '', location.pathname + location.search)
  }
  return sessionStorage.getItem(storageKey) ?? ''
}

/** @param {string} key */
export const keepKey = (key) => sessionStorage.setItem(storageKey, key)

export const dropKey = () => sessionStorage.removeItem(storageKey)
