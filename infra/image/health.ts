// Health check of the image: asks this container's own /livez. Liveness, not readiness: a layer that
// waits for a server which is away must not be restarted for it.
const port = process.env.CLICKLEDGER_METRICS_PORT ?? '9100'
const timeoutMs = 4_000

const isAlive = await fetch(`http://127.0.0.1:${port}/livez`, {
  signal: AbortSignal.timeout(timeoutMs),
}).then(
  (response) => response.ok,
  () => false,
)
process.exit(isAlive ? 0 : 1)
