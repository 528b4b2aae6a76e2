// The catalogue goes away in the instant in which a rebuild has changed the store: the run must still
// be recorded, once, or store and catalogue are at odds.
import test from 'ava'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { failingCatalogue, type Weather } from '../../tests/support/failing-catalogue.ts'
import { rebuildHours } from './rebuild.ts'

const hour = Date.UTC(2026, 0, 1)
const staged = { ruleSet: 1, files: [], valid: 1, duplicate: 0, invalid: 0, copies: 0 }
const totals = {
  click_count: 1,
  gross_click_count: 1,
  duplicate_click_count: 0,
  fraudulent_click_count: 0,
}

const rest = {
  kept: 3,
  objects: {} as ObjectStore, // so few runs leave nothing to sweep
  taskClicksMax: 1_000,
  workers: 1,
  rails: { percent: 20, clicks: 100 },
  ruleSetOf: async () => defaultRuleSet,
  compare: async () => [],
}

for (const weather of ['refuses', 'loses answers'] satisfies Weather[]) {
  test(`a catalogue that ${weather} after the store has changed`, async (t) => {
    const catalogue = failingCatalogue(await openTestCatalogue(t))
    const olap: Pick<OlapStore, 'replaceHours' | 'loadedHours' | 'hourTotals' | 'query'> = {
      async replaceHours() {
        catalogue.weather = weather
        setTimeout(() => {
          catalogue.weather = 'fine'
        }, 200)
      },
      loadedHours: async (loads) => loads.map((load) => load.hour),
      hourTotals: async () => [{ hour, ...totals }],
      query: async () => [],
    }
    const outcome = await rebuildHours(
      {
        catalogue,
        olap: olap as OlapStore,
        now: () => 7,
        ...rest,
        stage: async () => [{ hour, ...staged }],
      },
      { kind: 'rebuild', reason: 'test', hours: [{ hour, ruleSet: 1 }], isApproved: true },
    )
    t.true(catalogue.failed > 0)
    t.deepEqual(
      (await catalogue.query('SELECT run_id, status FROM runs')).map((row) => ({ ...row })),
      [{ run_id: outcome?.runId, status: 'done' }],
    )
    const published = await catalogue.query('SELECT hour, run_id FROM published_hours')
    t.deepEqual(
      published.map((row) => ({ ...row })),
      [{ hour, run_id: outcome?.runId }],
    )
  })
}

test('a layer that closes does not wait for a catalogue that is away', async (t) => {
  const catalogue = failingCatalogue(await openTestCatalogue(t))
  catalogue.weather = 'refuses'
  const stopping = new AbortController()
  const run = rebuildHours(
    {
      catalogue,
      olap: {} as OlapStore,
      now: () => 7,
      ...rest,
      signal: stopping.signal,
      stage: async () => [],
    },
    { kind: 'rebuild', reason: 'test', hours: [{ hour, ruleSet: 1 }], isApproved: true },
  )
  stopping.abort()
  await t.throwsAsync(run, { code: 'unavailable' })
})
