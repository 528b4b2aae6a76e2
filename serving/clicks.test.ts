import test from 'ava'
import { timedUuid } from '#core/identity.ts'
import type { Receipt, ReceiptQuestion } from '#platform/receipts/receipts.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { clickWith } from '../tests/support/random-clicks.ts'
import { boundary, openFixture } from './testing/fixture.ts'

const id = timedUuid(7, boundary, Buffer.alloc(10, 7))
const noTime = 'c0a8012e-7b1f-4c3a-9d2e-0123456789ab'

const receipt: Receipt = {
  click: clickWith({
    ...{ event_id: id, advertiser_id: 'adv-1', ad_id: 'ad-1', event_time: boundary },
    ...{ received_time: boundary + 5, visitor: 'v1', ip_hash: 'secret-hash' },
  }),
  ...{ isArchived: true, copies: [] },
  speed: { state: 'judged', status: 'valid', rule: '', rule_set: 1, judged_time: boundary + 90 },
  batch: {
    ...{ state: 'judged', status: 'duplicate', rule: 'double-click', rule_set: 1 },
    ...{ run_id: 'run-1', judged_in: 'run-1', reason: 'sealing', published_at: boundary + hourMs },
    in_force: true,
  },
  repeats: {
    ...{ rule: 'double-click', key: { ad_id: 'ad-1', visitor: 'v1' }, window_seconds: 10 },
    ...{ after: 1, clicks: [], complete: false },
  },
}

function reader(found: Receipt | undefined = receipt) {
  const questions: ReceiptQuestion[] = []
  const find = async (question: ReceiptQuestion) => {
    questions.push(question)
    const { advertiserIds } = question
    const isTheirs = advertiserIds.length === 0 || advertiserIds.includes('adv-1')
    return isTheirs ? found : undefined
  }
  return { questions, receipts: { find } }
}

test('an advertiser sees what was said, and no hash of anybody', async (t) => {
  const { receipts, questions } = reader()
  const { inject } = await openFixture(t, { receipts })
  const answer = await inject({ url: `/v1/clicks/${id.toUpperCase()}` }, 'advertiser')
  t.is(answer.statusCode, 200)
  t.like(answer.json(), { provenance: 'final', counted_as: 'duplicate', billed: false })
  t.like(answer.json().speed, { status: 'valid', judged_time: '2026-11-22T05:00:00.090Z' })
  t.like(answer.json().repeats.key, { ad_id: 'ad-1', visitor: 'the same' })
  t.false(answer.body.includes('secret-hash') || answer.body.includes('"v1"'))
  t.deepEqual(questions, [
    {
      ...{ eventId: id, advertiserIds: ['adv-1'] },
      ...{ from: boundary - 10 * minuteMs, to: boundary + 10 * minuteMs },
    },
  ])
  t.true((await inject({ url: `/v1/clicks/${id}` }, 'engineer')).body.includes('secret-hash'))
})

test('a foreign click and an unknown one are the same 404', async (t) => {
  const ask = async (receipts: ReturnType<typeof reader>['receipts']) => {
    const { inject } = await openFixture(t, { receipts })
    const answer = await inject({ url: `/v1/clicks/${id}` }, 'other')
    t.is(answer.statusCode, 404)
    const { request_id, ...problem } = answer.json()
    return problem
  }
  t.deepEqual(await ask(reader().receipts), await ask({ find: async () => undefined }))
  const { inject } = await openFixture(t, reader())
  const url = `/v1/clicks/${id}?advertiser_id=adv-1`
  t.is((await inject({ url }, 'other')).statusCode, 404)
  t.is((await inject({ url }, 'publisher')).statusCode, 403)
})

test('before batch has said it, nothing is billed and the speed layer counts', async (t) => {
  const batch = { state: 'waiting', detail: 'not built' } as const
  const { inject } = await openFixture(t, reader({ ...receipt, isArchived: false, batch }))
  const { state, provenance, counted_as, billed } = (
    await inject({ url: `/v1/clicks/${id}` }, 'admin')
  ).json()
  t.deepEqual([state, provenance, counted_as, billed], ['pending', 'provisional', 'valid', null])
})

const wrong: [string, RegExp][] = [
  ['not-a-uuid', /^event_id: /],
  [noTime, /^at: this id has no time/],
  [`${noTime}?at=yesterday`, /^at: should be/],
  [`${noTime}?at=9999-01-01`, /^at: should be/],
  ['ffffffff-ffff-7000-8000-000000000000', /^at: this id has no time/],
  [`${id}?when=now`, /^unknown parameter or field when/],
]
for (const [path, detail] of wrong) {
  test(`says what is wrong: ${path}`, async (t) => {
    const { inject } = await openFixture(t, reader())
    const answer = await inject({ url: `/v1/clicks/${path}` }, 'admin')
    t.is(answer.statusCode, 400)
    t.regex(answer.json().detail, detail)
  })
}

test('with `at`, an id without a time is looked for within an hour', async (t) => {
  const { receipts, questions } = reader()
  const { inject } = await openFixture(t, { receipts })
  await inject({ url: `/v1/clicks/${noTime}?at=2026-11-22T05:00:00Z` }, 'admin')
  t.like(questions[0], { from: boundary - hourMs, to: boundary + hourMs })
})
