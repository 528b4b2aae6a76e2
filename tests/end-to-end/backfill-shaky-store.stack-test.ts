// A backfill over S3 on bad days. What retries mend is not seen; what they do not mend stops the run
// with a word about the store, nothing published, and resume goes on.
import test, { type ExecutionContext } from 'ava'
import type { BackfillRun } from '../../cli/backfill.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { stackEnv } from '../support/stack.ts'
import { embedded } from '../support/stacks.ts'
import { openBench, range, tried, triedRules } from './backfill.ts'

const isRequest = (bytes: Buffer) =>
  /^(GET|PUT|POST|HEAD|DELETE) /.test(bytes.toString('latin1', 0, 7))

/** Everything embedded but the object store, which is S3 behind a proxy. */
async function openShaky(t: ExecutionContext) {
  const isWanted = ([name]: [string, string]) => /_S3_|_NAMESPACE$/.test(name)
  const s3 = Object.entries(stackEnv(t)).filter(isWanted)
  const { CLICKLEDGER_S3_ENDPOINT = '', ...more } = Object.fromEntries(s3)
  const proxy = await startFaultyProxy(t, Number(new URL(CLICKLEDGER_S3_ENDPOINT).port))
  const endpoint = `http://127.0.0.1:${proxy.port}`
  const env = { ...embedded.env(t), ...more, CLICKLEDGER_S3_ENDPOINT: endpoint }
  return { proxy, bench: await openBench(t, { env: () => env }) }
}

/** Cuts the connection of every third request. @returns requests so far */
function failEveryThird(proxy: FaultyProxy): () => number {
  let requests = 0
  proxy.toServer = (bytes) => (isRequest(bytes) && ++requests % 3 === 0 ? undefined : bytes)
  return () => requests
}

test('an object store that fails every third call: the backfill is right all the same', async (t) => {
  const { proxy, bench } = await openShaky(t)
  const { post } = bench.instance
  await post('/v1/rules', { rules: triedRules })
  const requests = failEveryThird(proxy)
  const asked = { ...range, reason: 'a shaky store', rule_set: 2 }
  const { run_id } = await post<BackfillRun>('/v1/backfills', asked)
  await bench.reaches(run_id, 'awaiting-approval')
  await post(`/v1/backfills/${run_id}/approve`, {})
  await bench.reaches(run_id, 'done')
  t.deepEqual(await bench.report(), await bench.expected(tried))
  t.true(requests() > 10, `${requests()} requests`)
})

test('an object store that is away: the run stops, says so, and goes on when resumed', async (t) => {
  const { proxy, bench } = await openShaky(t)
  const { post } = bench.instance
  const before = await bench.report()
  await post('/v1/rules', { rules: triedRules })
  // It still reads, so the run is planned; nothing can be staged.
  proxy.toServer = (bytes) => (bytes.toString('latin1', 0, 4) === 'PUT ' ? undefined : bytes)
  const asked = { ...range, reason: 'a store that goes away', rule_set: 2 }
  const { run_id } = await post<BackfillRun>('/v1/backfills', asked)
  const failed = await bench.reaches(run_id, 'failed')
  t.regex(JSON.stringify(failed.result), /object store/)
  t.deepEqual(await bench.report(), before, 'nothing is published')
  proxy.toServer = (bytes) => bytes
  await post(`/v1/backfills/${run_id}/resume`, {})
  await bench.reaches(run_id, 'awaiting-approval')
  await post(`/v1/backfills/${run_id}/approve`, {})
  await bench.reaches(run_id, 'done')
  t.deepEqual(await bench.report(), await bench.expected(tried))
})
