// An ingest node as a process of its own, for a test that kills it. Settings come from the
// environment; the address goes to stdout.
import { createClock } from '#platform/clock.ts'
import { readSettings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { runIngest } from './main.ts'

const settings = readSettings(process.env)
const logger = createLogger('ingest', settings.CLICKLEDGER_LOG_LEVEL)
const layer = await runIngest({ settings, clock: createClock(), logger })
console.log(layer.url)
