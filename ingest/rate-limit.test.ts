import test from 'ava'
import { createRateLimiter } from './rate-limit.ts'

test('a burst of a second, then the rate; each address for itself', (t) => {
  let now = 0
  const allow = createRateLimiter(10, () => now)
  const taken = (address: string) => {
    let count = 0
    while (count < 100 && allow(address)) count++
    return count
  }
  t.is(taken('a'), 10)
  t.is(taken('b'), 10)
  now = 500
  t.is(taken('a'), 5)
  now = 60_000
  t.is(taken('a'), 10)
})

test('0 is no limit', (t) => {
  const allow = createRateLimiter(0)
  t.true(Array.from({ length: 1000 }, () => allow('a')).every(Boolean))
})
