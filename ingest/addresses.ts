// What may be kept of an IP address: geography, keyed hash, network prefix, block-list mark. The
// address itself goes no further than this module. Answers are remembered, bounded.
import { LRUCache } from 'lru-cache'
import { keyedHash } from '#core/identity.ts'
import type { GeoLookup } from './geo.ts'
import { type NetworkList, networkPrefix } from './network.ts'

export interface AddressFacts {
  readonly country: string
  readonly region: string
  readonly city: string
  readonly ip_hash: string
  readonly ip_prefix: string
  readonly isBlocked: boolean
}

/** An address that is not known: matches no rule, sits nowhere. */
export const noAddress: AddressFacts = {
  country: '',
  region: '',
  city: '',
  ip_hash: '',
  ip_prefix: '',
  isBlocked: false,
}

const addressesMax = 100_000

export interface AddressFactsOptions {
  readonly geography: GeoLookup
  readonly ipKey: Uint8Array
  readonly blocked: NetworkList
}

/** A lookup by canonical address. */
export function createAddressFacts({ geography, ipKey, blocked }: AddressFactsOptions) {
  const known = new LRUCache<string, AddressFacts>({ max: addressesMax })
  return (address: string): AddressFacts => {
    let facts = known.get(address)
    if (!facts) {
      const { country, region, city } = geography(address)
      facts = {
        country,
        region,
        city,
        ip_hash: keyedHash(ipKey, address),
        ip_prefix: networkPrefix(address),
        isBlocked: blocked.has(address),
      }
      known.set(address, facts)
    }
    return facts
  }
}
