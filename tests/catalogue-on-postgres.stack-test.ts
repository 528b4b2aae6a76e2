// The tests of those who use the catalogue, once more over PostgreSQL: the one SQL text must mean
// the same there. The modules register their tests as they are imported, so the switch comes first.
import test from 'ava'

process.env.TEST_CATALOGUE = 'postgres'

/** The server has a limit of connections, and every test keeps a few. */
const testsAtOnce = 8
let free = testsAtOnce
const waiting: (() => void)[] = []

test.beforeEach(async () => {
  if (free > 0) free--
  else await new Promise<void>((resolve) => waiting.push(resolve))
})
test.afterEach.always(() => {
  const next = waiting.shift()
  if (next) next()
  else free++
})

await import('../platform/catalogue/ads.test.ts')
await import('../platform/catalogue/values.test.ts')
await import('../platform/retention.test.ts')
await import('../batch-layer/archive/archiver.test.ts')
await import('../batch-layer/rebuild/restore-view.test.ts')
await import('../batch-layer/rebuild/sealing.test.ts')
await import('../batch-layer/rebuild/catalogue-away.test.ts')
await import('../serving/administration.test.ts')
await import('../serving/audit.test.ts')
await import('../serving/access/keys.test.ts')
await import('../serving/access/routes.test.ts')
await import('../serving/catalogue/catalogue.test.ts')
await import('../serving/catalogue/bulk-ads.test.ts')
await import('../serving/reconciliation.test.ts')
await import('../serving/reports/reports.test.ts')
await import('../serving/webhook/webhook.test.ts')
await import('../serving/http.test.ts')
await import('../serving/guarded-catalogue.test.ts')
await import('../serving/live-hub.test.ts')
await import('../serving/main.test.ts')
await import('../ingest/ingest.test.ts')
