import test from 'ava'
import { limits } from '#schemas/limits.ts'
import { mayIdentify, parseClickQuery } from './request.ts'

const parse = (query: string) => parseClickQuery(`/click/a?${query}`, '/click/a'.length)

test('the first of equal names counts; what has no name of its own is extra', (t) => {
  t.like(parse('publisher_id=p&publisher_id=q&utm_source=a+b%21&x'), {
    publisher_id: 'p',
    extra: { utm_source: 'a b!', x: '' },
  })
  t.is(parseClickQuery('/click/a', -1).extra, undefined)
})

test('malformed optional parts are left out', (t) => {
  t.like(parse('publisher_id=%0d%0a&impression_id=a%20b&gdpr=1'), {
    publisher_id: '',
    impression_id: '',
    gdpr: '1',
  })
  t.is(parse('sub=%E0%A4%A').extra?.sub, '%E0%A4%A')
})

test('names and sizes cannot do harm', (t) => {
  const { extra } = parse('__proto__=x&constructor=y&=z&&&')
  t.deepEqual(Object.keys(extra ?? {}), ['__proto__', 'constructor'])
  t.is(JSON.stringify(extra), '{"__proto__":"x","constructor":"y"}')
  const many = parse(Array.from({ length: 200 }, (_, i) => `p${i}=${'v'.repeat(500)}`).join('&'))
  t.is(Object.keys(many.extra ?? {}).length, limits.additionalParamsMax)
  t.is(many.extra?.p0?.length, limits.additionalParamCharsMax)
})

test('who may be remembered', (t) => {
  t.true(mayIdentify('', '', false))
  t.true(mayIdentify('0', undefined, false))
  t.false(mayIdentify('1', '', false))
  t.true(mayIdentify('1', 'CPXxRfA', false))
  t.false(mayIdentify('1', 'CPXxRfA', true))
})
