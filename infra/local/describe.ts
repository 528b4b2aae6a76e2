// The stack as text for people.
import { residentBytes } from './processes.ts'
import type { Server } from './server.ts'
import type { Stack } from './stack.ts'
import type { ServerName } from './state.ts'

const what: Readonly<Record<ServerName, string>> = {
  kafka: 'event log',
  zookeeper: 'how the servers of Druid find each other',
  'druid-coordinator': 'Druid: segments, tasks, metadata',
  'druid-broker': 'Druid: queries',
  'druid-historical': 'Druid: published segments',
  'druid-indexer': 'Druid: realtime and load tasks',
  'druid-router': 'Druid: the one URL for all of it',
  s3: 'object store, and deep storage of Druid',
  postgres: 'catalogue',
  redis: 'shared cache',
}

const mebibytes = (bytes: number | undefined) =>
  bytes === undefined ? '-' : `${Math.round(bytes / 1024 ** 2)} MiB`

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const addressOf = ({ name, port }: Server) =>
  `${name.startsWith('druid') || name === 's3' ? 'http://' : ''}127.0.0.1:${port}`

const noStack = 'No stack here. Start it with: npm run stack'

export function describeStatus(stack: Stack | undefined): string {
  if (!stack) return noStack
  const memory = new Map(
    stack.servers.map((server) => {
      const pid = server.pid()
      return [server.name, pid === undefined ? undefined : residentBytes(pid)]
    }),
  )
  const rows = stack.servers.map((server) => [
    server.name,
    addressOf(server),
    server.pid() === undefined ? 'stopped' : `pid ${server.pid()}`,
    mebibytes(memory.get(server.name)),
    what[server.name],
  ])
  const total = [...memory.values()].reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
  return table([...rows, ['all', '', '', mebibytes(total), `data in ${stack.config.dir}`]])
}

/** Lines for a shell or a file of settings. */
export const describeEnv = ({ env }: Stack): string =>
  Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')

export const describeStart = (stack: Stack): string => `
${describeStatus(stack)}

${describeEnv(stack)}

All layers on these servers:  npx clickledger start --stack local
Stop the servers:             npm run stack -- stop`
