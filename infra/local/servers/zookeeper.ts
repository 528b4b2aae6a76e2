// ZooKeeper, by which the servers of Druid find each other. It comes with the jars of Druid.
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { dataDirOf, portOf, type StackConfig } from '../state.ts'
import { druidLogging } from './druid.ts'
import { javaNiceness, javaOptions } from './java.ts'
import type { ServerPlan } from './plan.ts'
import { toProperties } from './properties.ts'

const answerTimeoutMs = 1_000

export function planZookeeper(config: StackConfig): ServerPlan {
  const dir = dataDirOf(config, 'zookeeper')
  const port = portOf(config, 'zookeeper')
  const file = join(dir, 'zoo.cfg')
  return {
    niceness: javaNiceness,
    command: [
      config.programs.java ?? 'java',
      ...javaOptions({ heap: ['32m', '64m'] }),
      druidLogging,
      ...['-cp', join(config.programs.druid ?? '', 'core', '*')],
      ...['org.apache.zookeeper.server.ZooKeeperServerMain', file],
    ],
    cwd: dir,
    stopTimeoutMs: 10_000,
    prepare() {
      const settings = {
        ...{ clientPort: port, clientPortAddress: '127.0.0.1', dataDir: join(dir, 'data') },
        ...{ tickTime: 2_000, maxClientCnxns: 100, 'admin.enableServer': false },
        // logs of transactions otherwise stay for ever
        ...{ 'autopurge.purgeInterval': 1, 'autopurge.snapRetainCount': 3 },
        '4lw.commands.whitelist': 'srvr',
      }
      writeFileSync(file, toProperties(settings))
    },
    isReady: async () => (await ask(port, 'srvr')).includes('Mode: standalone'),
  }
}

/** Sends one of ZooKeeper's four-letter words. */
function ask(port: number, word: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect(port, '127.0.0.1', () => socket.end(word))
  socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('no answer')))
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text
  })
  socket.once('error', reject).once('close', () => resolve(answer))
  return promise
}
