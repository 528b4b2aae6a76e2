// W3C trace context from the request, through write-ahead log and event log, to the judged click.
import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { LogRecord } from '#platform/event-log/port.ts'
import { openEventLog } from '#platform/stack.ts'
import { parseTraceparent } from '#platform/tracing.ts'
import { until } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { readTopic } from './support/conservation.ts'
import { startInstance } from './support/instance.ts'

const traceId = () => randomBytes(16).toString('hex')
const sentBy = (trace: string, flags = '01') => `00-${trace}-00f067aa0ba902b7-${flags}`

async function startTraced(t: ExecutionContext, env: Record<string, string>) {
  const instance = await startInstance(t, env)
  await instance.post('/v1/ads', [
    { ad_id: 'ad-1', advertiser_id: 'adv-1', target_url: 'https://shop.example/' },
  ])
  const click = (traceparent?: string) =>
    fetch(`${instance.ingestUrl}/click/ad-1?impression_id=${randomBytes(8).toString('hex')}`, {
      redirect: 'manual',
      headers: traceparent === undefined ? {} : { traceparent },
    })
  const records = async (topic: string, count: number): Promise<LogRecord[]> => {
    const log = await openEventLog(instance.settings, Date.now)
    const found = await until(
      async () => {
        const all = await readTopic(log, topic)
        return all.length >= count ? all : undefined
      },
      { what: `${count} records on ${topic}` },
    )
    await log.close()
    return found
  }
  return { instance, click, records }
}

const traceOf = ({ traceparent = '' }: LogRecord) => parseTraceparent(traceparent)?.traceId

test('on: the judged click is in the trace of its request, each hop with a span of its own', async (t) => {
  const { instance, click, records } = await startTraced(t, { CLICKLEDGER_TRACING: 'true' })
  const [redirect, posted] = [traceId(), traceId()]
  t.is((await click(sentBy(redirect))).status, 302)
  t.is((await click(sentBy(traceId(), '00'))).status, 302)
  const answer = await fetch(`${instance.ingestUrl}/track/click_event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: sentBy(posted) },
    body: JSON.stringify([{ ad_id: 'ad-1' }, { ad_id: 'ad-1', user_id: 'u' }]),
  })
  t.is(answer.status, 200)
  const [raw, judged] = [await records(topics.raw.name, 4), await records(topics.judged.name, 4)]
  for (const found of [raw, judged]) {
    const traces = found.map(traceOf).filter((trace) => trace !== undefined)
    t.deepEqual(traces.sort(), [redirect, posted, posted].sort())
  }
  const spanOf = (list: readonly LogRecord[]) =>
    parseTraceparent(list.find((r) => traceOf(r) === redirect)?.traceparent ?? '')?.spanId
  t.is(new Set(['00f067aa0ba902b7', spanOf(raw), spanOf(judged)]).size, 3)
})

test('off: nothing of a trace is kept', async (t) => {
  const { click, records } = await startTraced(t, {})
  t.is((await click(sentBy(traceId()))).status, 302)
  for (const topic of [topics.raw.name, topics.judged.name]) {
    t.deepEqual((await records(topic, 1)).map(traceOf), [undefined])
  }
})
