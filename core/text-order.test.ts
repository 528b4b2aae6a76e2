import test from 'ava'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import { compareText } from './text-order.ts'

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}') }),
  fc.string({ unit: 'binary' }),
)

test('texts stand in the order of their UTF-8 bytes', (t) => {
  t.log(`seed ${seed}`)
  fc.assert(
    fc.property(text, text, (a, b) => {
      t.is(Math.sign(compareText(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
    { seed, numRuns: 2_000 },
  )
})
