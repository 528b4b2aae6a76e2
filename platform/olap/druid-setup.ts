// Opens Druid: is it there, does it let us in, and are the datasources and the supervisor as the
// schemas want them? What is right already is left alone: a new supervisor spec restarts the tasks.
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from '../config.ts'
import { until } from '../wait.ts'
import { type DruidClient, DruidError } from './druid-http.ts'
import { anchorLayer, anchorTask, anchorTime } from './druid-load-specs.ts'
import { timestampSql } from './druid-ranges.ts'
import type { SupervisorStatus } from './druid-realtime.ts'
import { type DruidNames, isWithin, supervisorSpec, type View, views } from './druid-specs.ts'
import type { Tasks } from './druid-tasks.ts'

/** An anchor is loaded within seconds; the first task of a cold Druid takes longer. */
const anchorTimeoutMs = 300_000
const connectTimeoutMs = 30_000

export interface SetupParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly tasks: Tasks
  readonly settings: Settings
}

/** What stands in the way, in one message with the setting and the fix. */
function openFailure(error: unknown, settings: Settings): ClickledgerError {
  if (error instanceof ClickledgerError) return error
  const url = settings.CLICKLEDGER_DRUID_URL
  const { message } = error as Error
  const status = error instanceof DruidError ? error.status : 0
  const refused = (text: string) => new ClickledgerError('invalid-settings', text, error)
  if (status === 401 || status === 403) {
    return refused(
      `Druid at ${url} refuses the user (${message}): check CLICKLEDGER_DRUID_USERNAME and CLICKLEDGER_DRUID_PASSWORD.`,
    )
  }
  if (status === 404) {
    return refused(
      `CLICKLEDGER_DRUID_URL: ${url} is no Druid router with a management proxy (${message}). Give the router's URL and set druid.router.managementProxy.enabled=true there.`,
    )
  }
  return new ClickledgerError(
    'unavailable',
    `CLICKLEDGER_DRUID_URL: Druid does not answer at ${url} (${message}). Start it, or correct the URL of its router.`,
    error,
  )
}

/** What the datasource's anchor says; undefined where there is none. */
async function shownAnchor(client: DruidClient, dataSource: string): Promise<string | undefined> {
  try {
    const rows = await client.sql(
      `SELECT layer FROM "${dataSource}" WHERE __time = ${timestampSql(anchorTime)} GROUP BY 1`,
    )
    return rows.length === 1 ? String(rows[0]?.[0]) : undefined
  } catch (error) {
    // A datasource that Druid has never seen is no table.
    if (error instanceof DruidError && error.status === 400) return undefined
    throw error
  }
}

async function ensureAnchor({ client, names, tasks }: SetupParts, view: View): Promise<void> {
  const dataSource = names[view]
  const wanted = anchorLayer(view)
  const isThere = async () => (await shownAnchor(client, dataSource)) === wanted
  if (await isThere()) return
  await tasks.run({
    name: `${wanted}_${dataSource}`,
    spec: (id) => anchorTask(id, view, dataSource),
    // Done but not shown yet, unless somebody dropped it since.
    inForce: async () =>
      until(isThere, { timeoutMs: 30_000, everyMs: 250, what: 'the anchor is shown' }).then(
        () => true,
        () => false,
      ),
  })
  await until(isThere, {
    ...{ timeoutMs: anchorTimeoutMs, everyMs: 100 },
    what: `Druid shows the datasource ${dataSource}`,
  })
}

/** A new supervisor has to reach the brokers; that it cannot is told now, not found out later. */
async function untilConnected({ client, names }: SetupParts): Promise<void> {
  const path = `/druid/indexer/v1/supervisor/${names.speed}/status`
  const connecting = new Set(['PENDING', 'CONNECTING_TO_STREAM', 'UNABLE_TO_CONNECT_TO_STREAM'])
  const connected = async () => {
    const { payload } = (await client.askAgain({ path })) as { payload: SupervisorStatus }
    const reason = payload.recentErrors[0]?.message
    if (!connecting.has(payload.detailedState)) return true
    if (reason !== undefined) throw new Error(reason)
    return false
  }
  const what = `connected ${names.topic}`
  await until(connected, { timeoutMs: connectTimeoutMs, everyMs: 200, what }).catch(
    (error: Error) => {
      throw new ClickledgerError(
        'invalid-settings',
        `Druid's supervisor ${names.speed} does not reach ${names.topic} (${error.message}): check CLICKLEDGER_DRUID_KAFKA_BROKERS and the CLICKLEDGER_KAFKA_ settings of the user.`,
        error,
      )
    },
  )
}

/** Submits the supervisor, the same one too: its tasks publish what they have, and new ones begin. */
export async function submitSupervisor({
  client,
  settings,
}: Pick<SetupParts, 'client' | 'settings'>): Promise<void> {
  await client.askAgain({
    path: '/druid/indexer/v1/supervisor',
    body: supervisorSpec(settings),
  })
}

async function ensureSupervisor(parts: SetupParts): Promise<void> {
  const { client, names, settings } = parts
  const wanted = supervisorSpec(settings)
  const path = `/druid/indexer/v1/supervisor/${names.speed}`
  const actual = await client.askAgain({ path }).catch((error: unknown) => {
    if (error instanceof DruidError && error.status === 404) return undefined
    throw error
  })
  if (isWithin(wanted, actual)) return
  await submitSupervisor(parts).catch((error: unknown) => {
    if (!(error instanceof DruidError) || error.status === 0 || error.status >= 500) throw error
    throw new ClickledgerError(
      'invalid-settings',
      `Druid rejects the supervisor of ${names.speed} (${error.message}). It needs the extensions druid-kafka-indexing-service and druid-datasketches in druid.extensions.loadList.`,
      error,
    )
  })
  await untilConnected(parts)
}

/** Makes the datasources and the supervisor. @throws ClickledgerError that names the setting */
export async function setUpDruid(parts: SetupParts): Promise<void> {
  const { client, settings } = parts
  try {
    await client.askAgain({ path: '/status/health', timeoutMs: 2_000 })
    await client.askAgain({ path: '/druid/indexer/v1/supervisor' })
    await Promise.all(views.map((view) => ensureAnchor(parts, view)))
    await ensureSupervisor(parts)
  } catch (error) {
    throw openFailure(error, settings)
  }
}
