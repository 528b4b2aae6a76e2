// What a network is in a setting: an address, or an address and a prefix length.
import { isIP } from 'node:net'

/** Whether the text is an address or a network in CIDR form: `10.0.0.0/8`, `::1`. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  const bitsMax = family === 6 ? 128 : 32
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax)
}
