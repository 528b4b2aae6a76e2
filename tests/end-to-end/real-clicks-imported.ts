// Real logs through the whole platform: imported twice, judged, archived, rebuilt; then batch is
// compared with the naive definition computed straight from the files, and speed with batch.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TestFn } from 'ava'
import type { Interval } from '#core/boundary.ts'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { until } from '#platform/wait.ts'
import { answersDuring } from '../support/answers-during.ts'
import { checkCounts, checkSpeedVerdicts, countByHour, reportByHour } from '../support/compare.ts'
import { readJudged, startInstance, type TestInstance } from '../support/instance.ts'
import {
  ipinyou,
  type RealLog,
  readRealClicks,
  realClicksMissing,
  talkingdata,
} from '../support/real-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const run = promisify(execFile)
const cli = fileURLToPath(new URL('../../bin/clickledger.mjs', import.meta.url))

/** `clickledger import` as a user runs it, beside the running instance. */
async function importFile(
  { env: own }: TestInstance,
  log: RealLog,
  file: string,
  ...more: string[]
) {
  const args = [cli, 'import', file, '--mapping', log.mapping, '--create-ads', ...more]
  const env = { ...process.env, ...own }
  const { stdout } = await run(process.execPath, args, { env, cwd: own.CLICKLEDGER_DATA_DIR })
  return JSON.parse(stdout) as { read: number; accepted: number; rejected: number }
}

/** Asks once, also where the answer is a refusal, or is remembered because the store refuses. */
async function howAnswered({ servingUrl, key }: TestInstance, { start, end }: Interval) {
  const [from, to] = [start, end].map((time) => new Date(time).toISOString())
  const path = `/v1/reports/clicks/timeseries?granularity=month&start_time=${from}&end_time=${to}`
  const answer = await fetch(`${servingUrl}${path}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  const { meta } = (await answer.json()) as { meta?: { stale: boolean } }
  return meta?.stale ? 'stale' : answer.status
}

async function rebuiltAll(instance: TestInstance): Promise<void> {
  const { run_id } = await instance.post<{ run_id: string | null }>('/v1/rebuilds', { dirty: true })
  if (run_id === null) return
  await until(
    async () => {
      const { status } = await instance.ask<{ status: string }>(`/v1/rebuilds/${run_id}`)
      if (status === 'failed') throw new Error(`run ${run_id} failed`)
      return status === 'done'
    },
    { timeoutMs: 240_000, everyMs: 100, what: 'the rebuild is done' },
  )
}

export function testRealClicksImported(test: TestFn, stack: TestStack): void {
  const check = realClicksMissing ? test.skip : test
  if (realClicksMissing) console.error(realClicksMissing)

  check(
    'real clicks imported: batch = naive from the file; speed = batch, or named why not',
    async (t) => {
      t.timeout(600_000)
      const instance = await startInstance(t, stack.env(t))
      const clicks = [...(await readRealClicks(ipinyou)), ...(await readRealClicks(talkingdata))]
      let accepted = 0
      for (const file of ipinyou.files)
        accepted += (await importFile(instance, ipinyou, file)).accepted
      const td = ['--advertiser', 'talkingdata']
      for (const file of talkingdata.files) {
        accepted += (await importFile(instance, talkingdata, file, ...td)).accepted
      }
      t.is(accepted, clicks.length)
      const [first] = ipinyou.files
      if (first) await importFile(instance, ipinyou, first) // the same file again changes no count
      const range = { start: Date.UTC(2013, 5, 1), end: Date.UTC(2017, 11, 1) }
      const answers = await answersDuring(
        () => rebuiltAll(instance),
        () => howAnswered(instance, range),
      )
      t.log(`${answers.length} reports while the hours are published`)
      t.deepEqual([...new Set(answers)], [200], 'none is refused')

      const verdicts = judgeNaively(defaultRuleSet, clicks)
      t.false(verdicts.includes(undefined), 'no click of the files is a copy of another')
      const got = await reportByHour(instance.servingUrl, instance.key, range, 'final')
      checkCounts(t, got, countByHour(clicks, verdicts), stack.uniquesError)

      await instance.close()
      const judged = await readJudged(instance.settings)
      await checkSpeedVerdicts(t, clicks, judged, instance.settings.CLICKLEDGER_SPEED_WINDOW)
    },
  )
}
