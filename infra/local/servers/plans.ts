// Every server of the stack: what must run before it, which programs it needs, how it is started.
import type { Programs, ServerName, StackConfig } from '../state.ts'
import { planDruid } from './druid.ts'
import { planKafka } from './kafka.ts'
import type { ServerPlan } from './plan.ts'
import { planPostgres } from './postgres.ts'
import { planRedis } from './redis.ts'
import { planS3 } from './s3.ts'
import { planZookeeper } from './zookeeper.ts'

interface ServerKind {
  /** Must be ready before this one starts. */
  readonly needs: readonly ServerName[]
  readonly programs: readonly (keyof Programs)[]
  plan(config: StackConfig): ServerPlan
}

const druid = (
  role: Parameters<typeof planDruid>[1],
  needs: readonly ServerName[],
): ServerKind => ({
  needs,
  programs: ['java', 'druid'],
  plan: (config) => planDruid(config, role),
})

export const serverKinds: Readonly<Record<ServerName, ServerKind>> = {
  kafka: { needs: [], programs: ['java', 'kafka'], plan: planKafka },
  zookeeper: { needs: [], programs: ['java', 'druid'], plan: planZookeeper },
  'druid-coordinator': druid('coordinator', ['zookeeper', 's3']),
  'druid-broker': druid('broker', ['zookeeper']),
  'druid-historical': druid('historical', ['zookeeper', 's3']),
  'druid-indexer': druid('indexer', ['zookeeper', 's3']),
  'druid-router': druid('router', ['zookeeper']),
  s3: { needs: [], programs: ['versitygw'], plan: planS3 },
  postgres: { needs: [], programs: ['postgres'], plan: planPostgres },
  redis: { needs: [], programs: ['redis'], plan: planRedis },
}
