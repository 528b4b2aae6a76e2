// docs/API.md is true: each of its calls is executed as it stands, by a shell, and answers what the page
// shows. `UPDATE_DOCS=1 ava docs/api` writes the answers into the page.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import test from 'ava'
import { until } from '#platform/wait.ts'
import { describeServing, operationsOf } from '../../serving/openapi/document.ts'
import { callsOf, examplesOf, type ShownCall, shapeFaults, shortened, withAnswer } from './page.ts'
import { startDocumented } from './scene.ts'

const file = new URL('../API.md', import.meta.url)
const page = readFileSync(file, 'utf8')
const run = promisify(execFile)

test('every route is on the page, and nothing else', async (t) => {
  const routes = operationsOf(await describeServing())
    .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    .sort()
  const shown = callsOf(page).map(({ title }) => title)
  t.deepEqual([...new Set(shown)].sort(), routes)
})

test('examples of /openapi.json are those of the page (else: npm run docs)', (t) => {
  const examples = new URL('../../serving/openapi/examples.json', import.meta.url)
  t.deepEqual(JSON.parse(readFileSync(examples, 'utf8')), JSON.parse(examplesOf(page)))
})

/** What a call prints. The status is asked of curl itself; the page does not show that. */
async function executed({ title, script }: ShownCall, env: NodeJS.ProcessEnv): Promise<string> {
  const curl = `curl() { command curl --fail-with-body "$@"; }\n${script}`
  const { stdout } = await run('bash', ['-c', curl], { env: { ...process.env, ...env } }).catch(
    (error: { code: number; stdout: string }) => {
      if (error.code === 28) return error // --max-time of a stream
      throw new Error(`${title}: curl ended with ${error.code}: ${error.stdout}`)
    },
  )
  return stdout
}

test('each call answers as shown', async (t) => {
  const scene = await startDocumented(t)
  let updated = page
  for (const call of callsOf(page)) {
    const env = await scene.before(call)
    if (call.title === 'GET /v1/live') {
      const seen = async () => /event: counts\ndata: \{"boundary"/.test(await executed(call, env))
      await until(seen, { what: 'counts are streamed before curl gives up' })
      continue
    }
    const answer: unknown = JSON.parse(await executed(call, env))
    scene.after(answer)
    updated = withAnswer(updated, call, shortened(answer))
    if (process.env.UPDATE_DOCS) continue
    t.deepEqual(shapeFaults(call.answer, answer), [], call.title)
  }
  if (process.env.UPDATE_DOCS) writeFileSync(file, updated)
  t.pass()
})
