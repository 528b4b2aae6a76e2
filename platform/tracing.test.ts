import test from 'ava'
import { readSettings } from './config.ts'
import { createLogger } from './log.ts'
import { createTracer, parseTraceparent, traceparentChars } from './tracing.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const logger = createLogger('test', 'silent')
const tracer = createTracer(readSettings({ CLICKLEDGER_TRACING: 'true' }), logger, Date.now)

test('a context is read by the letter of the specification', (t) => {
  const good = `00-${traceId}-${spanId}-01`
  t.deepEqual(parseTraceparent(good), { traceId, spanId, sampled: true })
  t.is(parseTraceparent(`00-${traceId}-${spanId}-00`)?.sampled, false)
  t.is(parseTraceparent(`00-${traceId}-${spanId}-03`)?.sampled, true)
  t.is(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes-later`)?.traceId, traceId)
  for (const bad of [
    '',
    good.toUpperCase(),
    `${good}-more`,
    good.slice(1),
    `ff-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}-0x`,
  ]) {
    t.is(parseTraceparent(bad), undefined, bad)
  }
})

test('off: there is no tracer', (t) => {
  t.is(createTracer(readSettings({}), logger, Date.now), undefined)
})

test('a sampled request goes on in its trace, one that is not sampled in none', (t) => {
  const span = tracer?.ofRequest('click', `00-${traceId}-${spanId}-01`)
  t.is(span?.traceparent.length, traceparentChars)
  t.like(parseTraceparent(span?.traceparent ?? ''), { traceId, sampled: true })
  t.notRegex(span?.traceparent ?? '', new RegExp(spanId))
  t.is(tracer?.ofRequest('click', `00-${traceId}-${spanId}-00`), undefined)
  const next = tracer?.ofRecord('judge', span?.traceparent ?? '')
  t.is(parseTraceparent(next?.traceparent ?? '')?.traceId, traceId)
  t.not(next?.traceparent, span?.traceparent)
})

test('of requests without a context, one in 128 gets one', (t) => {
  const made = Array.from({ length: 1280 }, () => tracer?.ofRequest('click', 'nonsense'))
  t.is(made.filter((span) => span !== undefined).length, 10)
})
