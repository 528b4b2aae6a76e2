// /metrics, /livez and /readyz over HTTP for a process that has no such endpoint of its own, or
// whose own one is public. They tell nothing about anybody's clicks and need no key, but belong in
// the network of the operators: CLICKLEDGER_METRICS_PORT opens them.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from './config.ts'
import type { Monitored, Readiness, RunningLayer } from './layer.ts'
import { mergeExpositions } from './metrics.ts'
import { within } from './wait.ts'

/** A layer that does not answer in this time is left out, or not ready. */
const answerMs = 2_000

/** Metrics of several layers as one text. One that does not answer is left out. */
export async function collectMetrics(layers: readonly Monitored[]): Promise<string> {
  const texts = layers.map((layer) => within(layer.metrics(), answerMs).catch(() => ''))
  return mergeExpositions(await Promise.all(texts))
}

/** Whether a layer is ready; one that cannot say is not. */
export async function askReadiness(layer: Monitored): Promise<Readiness> {
  try {
    return await within(layer.readiness(), answerMs)
  } catch (error) {
    return { ready: false, detail: (error as Error).message }
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(body)
}

const sendJson = (response: ServerResponse, status: number, body: unknown): void =>
  send(response, status, 'application/json', JSON.stringify(body))

async function answer(layer: Monitored, path: string, response: ServerResponse): Promise<void> {
  if (path === '/livez') return sendJson(response, 200, { status: 'alive' })
  if (path === '/readyz') {
    const readiness = await askReadiness(layer)
    return sendJson(response, readiness.ready ? 200 : 503, readiness)
  }
  if (path === '/metrics') {
    return send(response, 200, Registry.PROMETHEUS_CONTENT_TYPE, await collectMetrics([layer]))
  }
  sendJson(response, 404, { detail: 'there are /metrics, /livez and /readyz' })
}

export interface MetricsServer {
  readonly url: string
  close(): Promise<void>
}

/** Listens. @throws ClickledgerError `invalid-settings` where the port cannot be had */
export async function serveMetrics(
  layer: Monitored,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    answer(layer, path, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new ClickledgerError(
          'invalid-settings',
          `CLICKLEDGER_METRICS_PORT: cannot listen on ${host}, port ${port}: ${cause.message}`,
          cause,
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
  const { port: given } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${given}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The layer with an endpoint for monitoring, where the settings ask for one. */
export async function withMetricsEndpoint<L extends RunningLayer>(
  settings: Settings,
  layer: L,
): Promise<L> {
  const { CLICKLEDGER_METRICS_PORT: port, CLICKLEDGER_HOST: host } = settings
  if (port === 0) return layer
  try {
    const server = await serveMetrics(layer, { host, port })
    return {
      ...layer,
      async close() {
        await layer.close()
        await server.close()
      },
    }
  } catch (error) {
    await layer.close()
    throw error
  }
}
