// The two servers that the ingest benchmark compares, each in a thread of its own, as ingest runs
// in production: a bare node:http server that answers 302 and stores nothing, and ingest.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { createClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { runIngest } from '../../ingest/main.ts'

interface ServerData {
  /** Absent: the bare server. */
  readonly ingest?: Settings
}

export interface BenchServer {
  readonly port: number
  /** CPU seconds of the server's thread so far. */
  cpuSeconds(): Promise<number>
  close(): Promise<void>
}

/** Starts a server in a thread. @param settings - of ingest; absent: the bare server */
export async function startServer(settings?: Settings): Promise<BenchServer> {
  const data: { server: ServerData } = { server: settings ? { ingest: settings } : {} }
  const worker = new Worker(new URL(import.meta.url), { workerData: data })
  const next = () =>
    new Promise<number>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  const port = await next()
  const ask = (question: 'cpu' | 'close') => {
    const answer = next()
    worker.postMessage(question)
    return answer
  }
  return {
    port,
    cpuSeconds: () => ask('cpu'),
    async close() {
      await ask('close')
      await worker.terminate()
    },
  }
}

async function serveBare() {
  const headers = ['location', 'https://shop.example/', 'content-length', '0']
  const server = createServer((_, response) => {
    response.writeHead(302, headers)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1024, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function serveIngest(settings: Settings) {
  const clock = createClock()
  const logger = createLogger('ingest', settings.CLICKLEDGER_LOG_LEVEL)
  const layer = await runIngest({ settings, clock, logger })
  return { port: Number(new URL(layer.url ?? '').port), close: () => layer.close() }
}

const given = (workerData as { server?: ServerData } | null)?.server
if (given && parentPort) {
  const port = parentPort
  const server = given.ingest ? await serveIngest(given.ingest) : await serveBare()
  port.on('message', async (question: 'cpu' | 'close') => {
    if (question === 'close') await server.close()
    const { user, system } = process.threadCpuUsage()
    port.postMessage((user + system) / 1e6)
  })
  port.postMessage(server.port)
}
