// How long the publication of one staged hour takes: from the order to replace it until queries see it
// in every grain. What can be done before (judging, aggregating, writing) is timed beside it.

import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { createClock } from '#platform/clock.ts'
import { openCatalogue, openOlapStore } from '#platform/stack.ts'
import { planRebuild } from '../batch-layer/rebuild/plan.ts'
import { stageTask } from '../batch-layer/rebuild/stage-worker.ts'
import { makeArchive } from './support/archive.ts'
import { type BenchResult, milliseconds, printResult, quantile } from './support/report.ts'
import { serversOfEnv } from './support/servers-of-env.ts'

/** Publishes `hours` made-up hours, one after the other. */
export async function runPublishBench(hours: number, clicksPerHour: number): Promise<BenchResult> {
  const archive = await makeArchive(hours, clicksPerHour, serversOfEnv())
  const { settings } = archive
  const catalogue = await openCatalogue(settings)
  const olap = await openOlapStore({
    settings,
    clock: createClock(0),
    onFailure: (error) => {
      throw error
    },
  })
  try {
    const plan = await planRebuild(catalogue, {
      runId: 'bench',
      hours: archive.hours.map((hour) => ({ hour, ruleSet: defaultRuleSet })),
      taskClicksMax: clicksPerHour,
    })
    const times = { staged: [] as number[], published: [] as number[] }
    for (const task of plan.tasks) {
      const begun = performance.now()
      const staged = await stageTask({ runId: plan.runId, task, settings })
      times.staged.push((performance.now() - begun) / staged.length)
      for (const { hour, files } of staged) {
        const ordered = performance.now()
        await olap.replaceHours([{ hour, run: plan.runId, files }])
        times.published.push(performance.now() - ordered)
      }
    }
    const spread = (values: readonly number[]) =>
      `p50 ${milliseconds(quantile(values, 0.5))}, at most ${milliseconds(Math.max(...values))}`
    const store = settings.CLICKLEDGER_DRUID_URL === '' ? 'DuckDB' : 'Druid'
    return {
      name: `Publication of one hour to ${store}: ${hours} hours of ${clicksPerHour.toLocaleString('en')} made-up clicks`,
      figures: {
        'published: minutes, hour and day, seen by queries': spread(times.published),
        'before it: judged, aggregated, staged': spread(times.staged),
      },
    }
  } finally {
    await olap.close()
    await catalogue.close()
    archive.remove()
  }
}

if (import.meta.main) {
  const [hours = 10, clicksPerHour = 100_000] = process.argv.slice(2).map(Number)
  printResult(await runPublishBench(hours, clicksPerHour))
}
