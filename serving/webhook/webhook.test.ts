import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { signWebhook, verifyWebhook } from '#core/webhook-signature.ts'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { createLease } from '#platform/lease.ts'
import { until } from '#platform/wait.ts'
import { freePort } from '../../infra/local/ports.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { startWebhook } from './webhook.ts'

const secret = 'a secret of sixteen bytes'

interface Body {
  readonly id: string
  readonly data: readonly { readonly ad_id: string }[]
}

type Handler = (body: Body, response: ServerResponse, request: IncomingMessage) => void

/** A receiver on a port of its own; `stop` kills it with all its connections. */
async function receiver(t: ExecutionContext, handle: Handler, port = 0) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const signature = String(request.headers['clickledger-signature'])
    t.true(verifyWebhook(secret, text, signature, Date.now()))
    handle(JSON.parse(text), response, request)
  })
  const listens = () =>
    new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
  // A process that another thread is just launching holds, for a moment, what this one has closed.
  await until(listens, { what: `it listens on ${port}` })
  const stop = () =>
    new Promise<void>((done) => {
      server.close(() => done())
      server.closeAllConnections()
    })
  t.teardown(stop)
  const { port: own } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${own}/hook`, port: own, stop }
}

let added = 0
async function restate(catalogue: Catalogue, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    added++
    await catalogue.query(
      `INSERT INTO restatements (restatement_id, published_at, run_id, rule_set, reason, advertiser_id, ad_id, hour, before, after)
       SELECT coalesce(max(restatement_id), 0) + 1, 0, $1, 1, 'late clicks', 'adv-1', $2, 0, '{}', '{}' FROM restatements`,
      [`run-${added}`, `ad-${added}`],
    )
  }
}

const idsOf = async (catalogue: Catalogue) =>
  (
    await catalogue.query<{ ad_id: string }>(
      'SELECT ad_id FROM restatements ORDER BY restatement_id',
    )
  ).map((row) => row.ad_id)

function start(
  t: ExecutionContext,
  catalogue: Catalogue,
  url: string,
  holder: string,
  ttlMs = 1_500,
) {
  let isDead = false
  const mortal: Queryable = {
    query: (sql, params) =>
      isDead ? Promise.reject(new Error('dead')) : catalogue.query<never>(sql, params),
  }
  const lease = createLease({ catalogue: mortal, name: 'webhook', holder, ttlMs })
  const outcomes: unknown[] = []
  const running = startWebhook({
    ...{ catalogue, url, secret, lease, now: Date.now, lookEveryMs: 20, retryMaxMs: 50 },
    onOutcome: (outcome) => outcomes.push(outcome),
  })
  const close = async () => {
    await running.close()
    if (!isDead) await lease.release()
  }
  t.teardown(close)
  /** Its lease is neither renewed nor given back. */
  const kill = () => {
    isDead = true
    return running.close()
  }
  return { outcomes, kill }
}

const poll = { everyMs: 20 }

/** In order, nothing left out; copies allowed. */
function checkOrder(t: ExecutionContext, seen: readonly string[], all: readonly string[]) {
  const first = seen.filter((id, i) => seen.indexOf(id) === i)
  t.deepEqual(first, all)
}

test('every restatement is posted in order, however the receiver fails', async (t) => {
  t.log(`seed ${seed}`)
  const catalogue = await openTestCatalogue(t)
  const seen: string[] = []
  let request = 0
  const { url } = await receiver(t, ({ data }, response) => {
    request++
    const way = (seed + request * 7) % 6
    // What is answered with less than 2xx, or not at all, may have been taken in or not.
    if (way === 2 || way > 3) seen.push(...data.map(({ ad_id }) => ad_id))
    if (way === 0) response.writeHead(500).end()
    else if (way === 1) response.writeHead(302, { location: '/elsewhere' }).end()
    else if (way === 2) response.destroy()
    else if (way === 3) response.writeHead(429).end()
    else response.writeHead(204).end()
  })
  await restate(catalogue, 250)
  const { outcomes } = start(t, catalogue, url, 'node-1')
  await until(() => new Set(seen).size === 250, { ...poll, what: 'all are there' })
  await restate(catalogue, 3)
  await until(() => new Set(seen).size === 253, { ...poll, what: 'the new ones, too' })
  checkOrder(t, seen, await idsOf(catalogue))
  t.true(outcomes.some((outcome) => typeof outcome === 'object' && outcome && 'error' in outcome))
})

test('a receiver that dies gets the rest when it is back; a sender that dies is followed by another', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const seen: string[] = []
  const take: Handler = ({ data }, response) => {
    seen.push(...data.map(({ ad_id }) => ad_id))
    response.writeHead(200).end('ok')
  }
  await restate(catalogue, 5)
  const first = await receiver(t, take, await freePort())
  const one = start(t, catalogue, first.url, 'node-1')
  await until(() => seen.length >= 5, { ...poll, what: 'the first five' })
  await first.stop()
  await restate(catalogue, 5)
  await until(() => one.outcomes.some((o) => 'error' in (o as object)), {
    ...poll,
    what: 'it notices',
  })
  await one.kill()
  const two = start(t, catalogue, first.url, 'node-2')
  await receiver(t, take, first.port)
  await until(() => seen.length >= 10, { ...poll, what: 'the other five' })
  checkOrder(t, seen, await idsOf(catalogue))
  await until(() => two.outcomes.length > 0, { ...poll, what: 'the other has sent' })
})

test('of two senders one posts at a time, and none twice while nobody dies', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const ids: string[] = []
  const { url } = await receiver(t, ({ id }, response, { headers }) => {
    t.is(headers['clickledger-delivery'], id)
    ids.push(id)
    response.writeHead(200).end()
  })
  await restate(catalogue, 30)
  // Longer than the machine can be busy: whoever does not renew in time counts as dead.
  start(t, catalogue, url, 'node-1', 60_000)
  start(t, catalogue, url, 'node-2', 60_000)
  for (let more = 0; more < 5; more++) await restate(catalogue, 3)
  const [last] = await catalogue.query<{ n: number }>(
    'SELECT max(restatement_id) AS n FROM restatements',
  )
  const done = async () => {
    const [row] = await catalogue.query<{ delivered: number }>(
      'SELECT delivered FROM webhook_cursors',
    )
    return Number(row?.delivered) === Number(last?.n)
  }
  await until(done, { ...poll, what: 'all are acknowledged' })
  t.is(new Set(ids).size, ids.length)
})

test('a signature is good for its body, its secret and five minutes', (t) => {
  const now = Date.UTC(2026, 10, 22)
  const header = signWebhook(secret, '{}', now)
  t.true(verifyWebhook(secret, '{}', header, now + 299_000))
  t.false(verifyWebhook(secret, '{}', header, now + 302_000))
  t.false(verifyWebhook(secret, '{ }', header, now))
  t.false(verifyWebhook('another secret of mine', '{}', header, now))
  const later = header.replace(/^t=\d+/, `t=${now / 1000 + 600}`)
  t.false(verifyWebhook(secret, '{}', later, now + 600_000))
  t.false(verifyWebhook(secret, '{}', '', now))
})
