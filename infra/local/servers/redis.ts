// Redis as a cache: nothing is kept on disk, and the least used entry goes first.
import { createClient } from 'redis'
import { credentials, dataDirOf, portOf, type StackConfig } from '../state.ts'
import type { ServerPlan } from './plan.ts'

export function planRedis(config: StackConfig): ServerPlan {
  const port = portOf(config, 'redis')
  const options = {
    bind: '127.0.0.1',
    port: String(port),
    requirepass: credentials.password,
    save: '',
    appendonly: 'no',
    maxmemory: '128mb',
    'maxmemory-policy': 'allkeys-lru',
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  return {
    command: [config.programs.redis ?? 'redis-server', ...args],
    cwd: dataDirOf(config, 'redis'),
    stopTimeoutMs: 5_000,
    async isReady() {
      const client = createClient({
        socket: { host: '127.0.0.1', port, reconnectStrategy: false, connectTimeout: 1_000 },
        password: credentials.password,
      })
      client.on('error', () => {}) // told by the rejected call, too
      try {
        await client.connect()
        return (await client.ping()) === 'PONG'
      } finally {
        client.destroy()
      }
    },
  }
}
