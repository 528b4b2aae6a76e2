import test from 'ava'
import fc from 'fast-check'
import { idPattern } from '#schemas/limits.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { compileTarget, fillTarget, macroNames } from './macros.ts'

const values = {
  click_id: '018f-1',
  impression_id: 'imp:1@x',
  ad_id: 'ad-1',
  campaign_id: 'c-1',
  publisher_id: 'p-1',
  cachebuster: '42',
}

function fill(text: string): string | undefined {
  const target = compileTarget(text)
  return target && fillTarget(target, values)
}

test('a macro is filled raw, or URL-encoded where its braces are', (t) => {
  t.is(
    fill('https://shop.example/?c={click_id}&i={impression_id}'),
    'https://shop.example/?c=018f-1&i=imp:1@x',
  )
  t.is(fill('https://shop.example/?i=%7Bimpression_id%7D'), 'https://shop.example/?i=imp%3A1%40x')
  t.is(
    fill('https://shop.example/?u=https%3A%2F%2Fa%2F%3Fi%3D%7bimpression_id%7d'),
    'https://shop.example/?u=https%3A%2F%2Fa%2F%3Fi%3Dimp%3A1%40x',
  )
})

test('text that is no macro stays', (t) => {
  t.is(fill('https://shop.example/{unknown}?a={'), 'https://shop.example/{unknown}?a={')
  t.is(fill('https://shop.example'), 'https://shop.example')
})

test('targets become ASCII', (t) => {
  t.is(
    fill('https://bücher.example/straße?q=ü'),
    'https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC',
  )
})

test('what is no http URL does not compile', (t) => {
  for (const text of [
    '',
    '/x',
    '//x',
    'javascript:alert(1)',
    'ftp://x',
    'https://',
    'https:// x',
  ]) {
    t.is(compileTarget(text), undefined, text)
  }
})

test('no value changes the origin or breaks a header', (t) => {
  t.log(`seed ${seed}`)
  const id = fc.stringMatching(idPattern)
  const text = fc
    .tuple(fc.webUrl({ withQueryParameters: true }), fc.array(fc.constantFrom(...macroNames)))
    .map(([url, names]) => `${url}${names.map((n) => `{${n}}`).join('')}`)
  fc.assert(
    fc.property(text, id, (url, value) => {
      const target = compileTarget(url)
      // A macro right behind a bare host is part of the host: such a target does not compile.
      if (!target) return
      const filled = fillTarget(target, { ...values, click_id: value, impression_id: value })
      t.true(URL.canParse(filled), filled)
      t.is(new URL(filled).origin, new URL(target.pieces[0] as string).origin)
      t.regex(filled, /^[\x21-\x7e]+$/)
    }),
    { seed },
  )
  t.pass()
})
