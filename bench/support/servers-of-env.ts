// Benchmarks run on the embedded adapters, or on the servers that the environment names:
// `eval "$(npm run -s stack -- env)"` and then `npm run bench`.
import { randomBytes } from 'node:crypto'

const serverSetting = /^CLICKLEDGER_(KAFKA|DRUID|S3|POSTGRES|REDIS)_/

/** Settings that name servers, with a namespace of this call's own; empty where there are none. */
export function serversOfEnv(): Readonly<Record<string, string>> {
  const named = Object.entries(process.env).filter(([name]) => serverSetting.test(name))
  if (named.length === 0) return {}
  const CLICKLEDGER_NAMESPACE = `bench-${randomBytes(4).toString('hex')}`
  return { ...(Object.fromEntries(named) as Record<string, string>), CLICKLEDGER_NAMESPACE }
}
