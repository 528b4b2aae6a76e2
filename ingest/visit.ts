// A request as the routes see it.
import type { IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import type { IngestResponse } from './answer.ts'
import { canonicalAddress, clientAddress, type NetworkList } from './network.ts'
import type { ClickHeaders } from './request.ts'

export interface Visit {
  readonly request: IncomingMessage
  readonly response: IngestResponse
  readonly url: string
  /** Index of the `?` in the URL; -1: there is none. */
  readonly queryAt: number
  readonly headers: ClickHeaders
  /** Canonical address of the client; empty: unknown. */
  readonly client: string
  /** A proxy of ours talking for itself: the rate limit is not for it. */
  readonly isOwnProxy: boolean
}

const remembered = 50_000
/** Longer lists of proxies are worked out each time: they would make the memory large. */
const forwardedCharsMax = 64

/** Works out the client's address, with a memory for what it has worked out. */
export function createClientAddresses(trusted: NetworkList) {
  const remotes = new LRUCache<string, { address: string; isTrusted: boolean }>({ max: remembered })
  const clients = new LRUCache<string, string>({ max: remembered })
  const remoteOf = (text: string) => {
    let remote = remotes.get(text)
    if (!remote) {
      const address = canonicalAddress(text) ?? ''
      remote = { address, isTrusted: address !== '' && trusted.has(address) }
      remotes.set(text, remote)
    }
    return remote
  }
  return (remoteText: string, forwarded: string): { client: string; isOwnProxy: boolean } => {
    const { address, isTrusted } = remoteOf(remoteText)
    if (!isTrusted || forwarded === '') return { client: address, isOwnProxy: isTrusted }
    let client = clients.get(forwarded)
    if (client === undefined) {
      client = clientAddress(address, forwarded, trusted)
      // A list that falls back on the proxy's own address depends on which proxy it was.
      if (forwarded.length <= forwardedCharsMax && client !== address)
        clients.set(forwarded, client)
    }
    return { client, isOwnProxy: false }
  }
}
