// The brokers behind the router. Each has a picture of its own of what is served where. A query goes to
// one of them, not through the router, which might hand it to any: so what is proven of its answer need
// be proven of that broker only.
import { createRefreshed } from '../refreshed.ts'
import type { DruidClient } from './druid-http.ts'

const listAge = { freshMs: 2_500, givenMs: 5_000 }
const probeTimeoutMs = 1_000

export interface Brokers {
  /**
   * Addresses of all brokers that answer. Where none can be reached from here, as in a small installation
   * that shows its router only, they are asked through the router: '' here.
   */
  all(): Promise<readonly string[]>
  /** The one whose turn it is. */
  next(): Promise<string>
}

export function createBrokers(client: DruidClient): Brokers {
  const list = async (): Promise<readonly string[]> => {
    const rows = await client.sql(
      "SELECT host, plaintext_port, tls_port FROM sys.servers WHERE server_type = 'broker'",
    )
    const all = rows.map(([host, plain, tls]) =>
      Number(tls) > 0 ? `https://${host}:${tls}` : `http://${host}:${plain}`,
    )
    // One that died stays on the list for a while; it answers no queries either.
    const answers = await Promise.allSettled(
      all.map((server) =>
        client.ask({ server, path: '/status/health', timeoutMs: probeTimeoutMs }),
      ),
    )
    const alive = all.filter((_, i) => answers[i]?.status === 'fulfilled')
    return alive.length > 0 ? alive : ['']
  }

  const known = createRefreshed(list, listAge)
  let turn = 0
  return {
    all: known.get,
    async next() {
      const brokers = await known.get()
      turn = (turn + 1) % brokers.length
      return brokers[turn] ?? ''
    },
  }
}
