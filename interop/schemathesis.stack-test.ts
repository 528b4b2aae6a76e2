// Schemathesis against a running instance: from /openapi.json alone it makes requests that are allowed
// and such that are not. No answer may be a fault of ours, or another than the description says. It needs
// Python, but none of the servers: `npm run test:api`. SCHEMATHESIS_SECONDS makes it longer.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { scratchDir } from '../tests/support/contract.ts'
import { startInstance } from '../tests/support/instance.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { openPython } from './python.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const seconds = Number(process.env.SCHEMATHESIS_SECONDS ?? 60)
/** What clients rely on. That a request is refused which the schema cannot forbid is no fault. */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'ignored_auth',
]
/** Never ends. */
const endless = '/v1/live'

test('schemathesis finds no fault', async (t) => {
  t.timeout((seconds + 900) * 1_000)
  const python = await openPython('requirements-schemathesis.txt')
  const { servingUrl, key } = await startInstance(t, { CLICKLEDGER_LOG_LEVEL: 'silent' })
  const args = ['run', `${servingUrl}/openapi.json`]
  args.push('--header', `Authorization: Bearer ${key}`, '--exclude-path', endless)
  args.push('--checks', checks.join(','), '--seed', String(seed), '--request-timeout', '20')
  args.push('--phases', 'examples,coverage,fuzzing', '--max-time', String(seconds))
  t.log({ seed, seconds })
  const st = promisify(execFile)(join(python.programs, 'st'), args, {
    env: { ...process.env, PYTHONPATH: here, SCHEMATHESIS_HOOKS: 'schemathesis_hooks' },
    ...{ cwd: scratchDir(t), maxBuffer: 64 * 1024 * 1024, timeout: (seconds + 240) * 1_000 },
  })
  const { stdout } = await st.catch((error: Error & { stdout: string }) => {
    t.fail(error.stdout.slice(Math.max(0, error.stdout.search(/= (FAILURES|ERRORS) =/)), 20_000))
    return error
  })
  t.regex(stdout, /Tested: \d+/)
})
