// IP addresses and networks: canonical text, CIDR lists, prefixes, and which address a request
// behind proxies came from. X-Forwarded-For is believed only as far as trusted proxies wrote it.
import { BlockList, isIP, SocketAddress } from 'node:net'
import { ClickledgerError } from '#schemas/errors.ts'

/** Canonical text of an address (IPv4 in IPv6 becomes IPv4); undefined where the text is none. */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text)
  if (family === 4) return text
  if (family !== 6 || text.includes('%')) return undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  return mapped?.[1] ?? address
}

/**
 * Parses a list of networks (`10.0.0.0/8`, or a single address).
 * @param setting - its name, for the message
 * @throws ClickledgerError `invalid-settings`, naming every entry that is none
 */
export function parseNetworks(setting: string, entries: readonly string[]): NetworkList {
  const list = new BlockList()
  const faults = entries.filter((entry) => !addNetwork(list, entry))
  if (faults.length > 0) {
    throw new ClickledgerError('invalid-settings', `${setting}: no networks: ${faults.join(', ')}`)
  }
  return {
    isEmpty: entries.length === 0,
    has: (address) => list.check(address, address.includes(':') ? 'ipv6' : 'ipv4'),
  }
}

export interface NetworkList {
  readonly isEmpty: boolean
  /** @param address - canonical */
  has(address: string): boolean
}

function addNetwork(list: BlockList, entry: string): boolean {
  const [text = '', bits, ...more] = entry.split('/')
  const family = isIP(text)
  const bitsMax = family === 6 ? 128 : 32
  if (family === 0 || more.length > 0) return false
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > bitsMax)) return false
  list.addSubnet(text, bits === undefined ? bitsMax : Number(bits), family === 6 ? 'ipv6' : 'ipv4')
  return true
}

/** The /24 of an IPv4 address, the /48 of an IPv6 address. @param address - canonical */
export function networkPrefix(address: string): string {
  if (!address.includes(':')) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':').length : 0
  if (tail !== undefined) while (groups.length < 8 - after) groups.push('0')
  return `${groups.slice(0, 3).join(':')}::/48`
}

/**
 * The address of the client: the last one in X-Forwarded-For that no trusted proxy has.
 * @param remote - canonical address of the connection
 * @param forwarded - X-Forwarded-For; empty: none
 */
export function clientAddress(remote: string, forwarded: string, trusted: NetworkList): string {
  if (forwarded === '' || !trusted.has(remote)) return remote
  let client = remote
  for (const hop of forwarded.split(',').reverse()) {
    const address = canonicalAddress(withoutPort(hop.trim()))
    if (address === undefined) return client // written by nobody we trust, and no address
    client = address
    if (!trusted.has(client)) return client
  }
  return client
}

/** Some proxies append the port: `1.2.3.4:5678`, `[2001:db8::1]:5678`. */
function withoutPort(text: string): string {
  if (text.startsWith('[')) return text.slice(1, text.indexOf(']'))
  return /^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text
}
