import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { until } from '#platform/wait.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import {
  endProcess,
  killProcess,
  launch,
  parseIdentity,
  runningPid,
  signalProcess,
} from './processes.ts'

/** Launches a shell script as a server; what is left of it ends with the test. */
async function launched(t: ExecutionContext, script: string) {
  const dir = scratchDir(t)
  const files = { pidFile: join(dir, 'x.pid'), logFile: join(dir, 'x.log') }
  t.teardown(() => killProcess(files.pidFile))
  await launch({ command: ['/bin/sh', '-c', script], cwd: dir, ...files })
  return { ...files, said: () => readFileSync(files.logFile, 'utf8') }
}

test('reads who a process is', (t) => {
  const stat =
    '4242 (a (b) c) S 7 4242 4242 0 -1 4194560 1 0 0 0 10 5 0 0 20 0 1 0 987654 23 1 0 0\n'
  t.deepEqual(parseIdentity(stat), { pid: 4242, begun: '987654', parent: 7, isZombie: false })
  const ps = '  4242     7 Z    Sun Nov 22 08:14:01 2026\n'
  t.deepEqual(parseIdentity(ps), {
    ...{ pid: 4242, parent: 7, isZombie: true },
    begun: 'Sun Nov 22 08:14:01 2026',
  })
  for (const text of ['', '4242', 'no such process']) t.is(parseIdentity(text), undefined)
})

test('a launched server is known by its pid file until it ends', async (t) => {
  const { pidFile } = await launched(t, 'exec sleep 60')
  t.is(typeof runningPid(pidFile), 'number')
  await endProcess(pidFile, 'SIGTERM', 5_000)
  t.is(runningPid(pidFile), undefined)
})

test('a pid that is somebody else by now is nobody to signal', async (t) => {
  const { pidFile } = await launched(t, 'exec sleep 60')
  const other = `${pidFile}.other`
  // This server's pid, as a server that began at another moment would have written it.
  const stat = readFileSync(pidFile, 'utf8').trim().split(' ')
  writeFileSync(other, [...stat.slice(0, 21), '1', ...stat.slice(22)].join(' '))
  t.is(runningPid(other), undefined)
  t.false(signalProcess(other, 'SIGKILL'))
  t.is(typeof runningPid(pidFile), 'number')
})

test('what does not end when asked is killed, with all that it started', async (t) => {
  const { pidFile, said } = await launched(t, 'trap "" TERM; sleep 600 & echo $!; wait; wait')
  const child = Number(await until(() => said().match(/\d+/)?.[0], { what: 'child' }))
  await endProcess(pidFile, 'SIGTERM', 200)
  t.is(runningPid(pidFile), undefined)
  await until(() => !isAlive(child), { what: 'the child is gone' })
  t.pass()
})

test('a paused server is stopped all the same', async (t) => {
  const { pidFile } = await launched(t, 'exec sleep 60')
  signalProcess(pidFile, 'SIGSTOP')
  await endProcess(pidFile, 'SIGTERM', 5_000)
  t.is(runningPid(pidFile), undefined)
})

test('a program that is not there is told', async (t) => {
  const dir = scratchDir(t)
  const files = { pidFile: join(dir, 'x.pid'), logFile: join(dir, 'x.log') }
  await launch({ command: [join(dir, 'nothing')], cwd: dir, ...files }).catch(() => {})
  await until(() => runningPid(files.pidFile) === undefined, { what: 'ended' })
  t.regex(readFileSync(files.logFile, 'utf8'), /not found|No such file/)
})

function isAlive(pid: number): boolean {
  try {
    return parseIdentity(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.isZombie === false
  } catch {
    return false
  }
}
