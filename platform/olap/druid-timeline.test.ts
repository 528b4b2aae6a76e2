// The timeline against a naive one that looks at each hour by itself.
import test from 'ava'
import fc from 'fast-check'
import { seed } from '../../tests/support/random-clicks.ts'
import { missingStretches, piecesOf, type Shown } from './druid-timeline.ts'

const hours = 12

const segment: fc.Arbitrary<Shown> = fc
  .record({
    from: fc.nat(hours - 1),
    length: fc.integer({ min: 1, max: hours }),
    version: fc.constantFrom('v1', 'v2', 'v3'),
    partition: fc.nat(2),
  })
  .map(({ from, length, ...rest }) => ({
    start: from,
    end: Math.min(hours, from + length),
    ...rest,
  }))
const segments = fc.array(segment, { maxLength: 6 })

const at = <S extends { start: number; end: number }>(all: readonly S[], hour: number) =>
  all.filter(({ start, end }) => start <= hour && hour < end)

function newestAt(all: readonly Shown[], hour: number): Shown[] {
  const here = at(all, hour)
  const newest = here
    .map(({ version }) => version)
    .sort()
    .at(-1)
  return here.filter(({ version }) => version === newest)
}

const everyHour = Array.from({ length: hours }, (_, hour) => hour)
const clear = ({ start, end, version, partition }: Shown) =>
  `${start}-${end} ${version} ${partition}`

test('of each hour the newest version is in force', (t) => {
  fc.assert(
    fc.property(segments, (all) => {
      const pieces = piecesOf(all)
      for (const hour of everyHour) {
        const here = at(pieces, hour)
        t.true(here.length <= 1, 'pieces lie over each other')
        const inForce = here.flatMap((piece) => piece.segments)
        t.deepEqual(inForce.map(clear).sort(), newestAt(all, hour).map(clear).sort())
      }
      const starts = pieces.map(({ start }) => start)
      t.deepEqual(
        starts,
        [...starts].sort((a, b) => a - b),
      )
    }),
    { seed },
  )
})

test('an hour is missing when nobody shows it whole, however what is shown is cut', (t) => {
  fc.assert(
    fc.property(segments, segments, (published, others) => {
      // A broker shows its own timeline: of each hour one version.
      const shown = piecesOf([...published.slice(1), ...others]).flatMap(
        ({ start, end, segments }) => segments.map((one) => ({ ...one, start, end })),
      )
      const missing = missingStretches(piecesOf(published), shown)
      for (const hour of everyHour) {
        const isWhole = newestAt(published, hour).every(({ version, partition }) =>
          at(shown, hour).some((one) => one.version !== version || one.partition === partition),
        )
        t.is(at(missing, hour).length, isWhole ? 0 : 1, `hour ${hour}`)
      }
    }),
    { seed },
  )
})

const part = (version: string, partition = 0, start = 0, end = 1): Shown => ({
  ...{ start, end, version, partition },
})
const missingIn = (published: readonly Shown[], shown: readonly Shown[]) =>
  missingStretches(piecesOf(published), shown)

test('what is being replaced is answered by what was there before', (t) => {
  const gone = [{ start: 0, end: 1 }]
  t.deepEqual(missingIn([part('v1')], [part('v1')]), [])
  t.deepEqual(missingIn([part('v1')], []), gone)
  t.deepEqual(missingIn([part('v1')], [part('v1', 0, 1, 2)]), gone, 'another interval')
  t.deepEqual(missingIn([part('v2')], [part('v1')]), [], 'the old one answers')
  const two = [part('v1', 0), part('v1', 1)]
  t.deepEqual(missingIn(two, [part('v1', 0)]), gone, 'a part is missing')
  t.deepEqual(missingIn(two, [part('v1', 1), part('v1', 0), part('v1', 2)]), [])
  t.deepEqual(missingIn([], [part('v1')]), [], 'not published yet')
  const days = [part('v1', 0, 0, 1), part('v1', 0, 1, 2)]
  t.deepEqual(missingIn([part('v2', 0, 0, 2)], days), [], 'the days of a week answer for it')
  t.deepEqual(missingIn([part('v2', 0, 0, 2)], days.slice(1)), gone, 'one of them is gone')
  t.deepEqual(missingIn(days, [part('v0', 0, 0, 2)]), [], 'a week answers for its days')
})
