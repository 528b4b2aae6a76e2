import test from 'ava'
import fc from 'fast-check'
import { hourMs } from '#schemas/paths.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { dirtyHours } from './dirty-hours.ts'
import { groupHours } from './plan.ts'

const hours = fc.uniqueArray(
  fc.record({
    hour: fc.nat({ max: 30 }),
    version: fc.nat({ max: 9 }),
    built: fc.option(fc.nat({ max: 9 }), { nil: undefined }),
  }),
  { selector: ({ hour }) => hour },
)

test('dirty: files newer than what the numbers were built from, in the hour or its look-back', (t) => {
  fc.assert(
    fc.property(hours, fc.nat({ max: 30 }), fc.nat({ max: 5 }), (all, boundary, reach) => {
      const built = all.flatMap(({ hour, built: version }) =>
        version === undefined ? [] : [{ hour, version, ruleSet: 1 }],
      )
      const expected = all
        .filter(({ hour }) => hour < boundary)
        .filter(
          (h) =>
            h.built === undefined ||
            all.some(
              (other) =>
                other.hour <= h.hour &&
                other.hour >= h.hour - reach &&
                other.version > (h.built ?? 0),
            ),
        )
        .map(({ hour }) => hour)
      const got = dirtyHours(all, built, boundary, reach).map(({ hour }) => hour)
      t.deepEqual(got.sort(), expected.sort())
    }),
    { seed },
  )
})

test('tasks: every hour once, neighbours together, no more clicks than the limit unless one hour has', (t) => {
  fc.assert(
    fc.property(hours, fc.integer({ min: 1, max: 40 }), (some, limit) => {
      const wanted = some.map(({ hour, version }) => ({
        hour: hour * hourMs,
        files: [],
        clicks: version,
      }))
      const groups = groupHours(wanted, limit)
      t.deepEqual(
        groups.flat().map((h) => h.hour),
        wanted.map((h) => h.hour).sort((a, b) => a - b),
      )
      for (const group of groups) {
        const clicks = group.reduce((sum, h) => sum + h.clicks, 0)
        t.true(clicks <= limit || group.length === 1)
        for (const [i, h] of group.entries()) t.is(h.hour, (group[0]?.hour ?? 0) + i * hourMs)
      }
    }),
    { seed },
  )
})
