// Programs of the machine that the stack needs: found, installed where that can be done without
// asking, or named in a message that says what to install.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { ClickledgerError } from '#schemas/errors.ts'
import { type Fetching, run } from './run.ts'

const javaMin = 17
/** Where Debian, Homebrew and Go put what need not be in PATH. */
const morePaths = ['/usr/local/go/bin', '/usr/local/bin', '/usr/bin', '/usr/sbin']

export function findProgram(name: string, paths: readonly string[] = []): string | undefined {
  const inPath = (process.env.PATH ?? '').split(delimiter).filter((path) => path !== '')
  return [...paths, ...inPath, ...morePaths]
    .map((path) => join(path, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return statSync(path).isFile()
      } catch {
        return false
      }
    })
}

/** @throws ClickledgerError `missing-program` saying what it is for */
export function needProgram(name: string, what: string, paths?: readonly string[]): string {
  const found = findProgram(name, paths)
  if (!found) throw new ClickledgerError('missing-program', `${name} is not installed. ${what}.`)
  return found
}

/** @throws ClickledgerError `missing-program` where there is no Java of 17 or later */
export function needJava(): string {
  const home = process.env.JAVA_HOME
  const java = needProgram(
    'java',
    `Java ${javaMin} or later: Kafka and Druid run on it`,
    home ? [join(home, 'bin')] : [],
  )
  const { stderr = '' } = spawnSync(java, ['-version'], { encoding: 'utf8' })
  const version = Number(/version "(\d+)/.exec(stderr)?.[1])
  if (!(version >= javaMin)) {
    const is = Number.isNaN(version) ? 'does not say its version' : `is version ${version}`
    throw new ClickledgerError('missing-program', `${java} ${is}. Java ${javaMin} is needed.`)
  }
  return java
}

/** The folder of initdb and postgres, installed where it is missing. */
export async function needPostgres(fetching: Fetching): Promise<string> {
  const find = () => {
    const debian = globSync('/usr/lib/postgresql/*/bin').sort(
      (a, b) => Number(b.split('/')[4]) - Number(a.split('/')[4]),
    )
    const initdb = findProgram('initdb', debian)
    return initdb && existsSync(join(dirname(initdb), 'postgres')) ? dirname(initdb) : undefined
  }
  return find() ?? (await install('postgresql', find, fetching))
}

/** redis-server, installed where it is missing. */
export async function needRedis(fetching: Fetching): Promise<string> {
  const find = () => findProgram('redis-server')
  return find() ?? (await install('redis-server', find, fetching))
}

const isRoot = () => process.getuid?.() === 0
let installing: Promise<unknown> = Promise.resolve() // apt-get refuses to run twice at a time

async function install(
  name: string,
  find: () => string | undefined,
  { progress, signal }: Fetching,
): Promise<string> {
  const aptGet = findProgram('apt-get')
  if (!isRoot() || !aptGet) {
    throw new ClickledgerError(
      'missing-program',
      `${name} is not installed. Install it with the packages of your system (Debian: apt-get install ${name}).`,
    )
  }
  const done = installing.then(async () => {
    progress(`${name}: installing`)
    const startedAt = performance.now()
    // No service is started by the package: this stack has its own.
    const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    await run(aptGet, ['update', '-qq'], { env, signal })
    await run(aptGet, ['install', '-y', '-qq', '--no-install-recommends', name], { env, signal })
    progress(`${name}: installed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  })
  installing = done.catch(() => {})
  await done
  const found = find()
  if (!found) throw new ClickledgerError('missing-program', `${name} was installed, but not found.`)
  return found
}

/**
 * Servers that refuse to run as root (PostgreSQL) run as another user then.
 * @returns undefined where the caller is not root
 */
export function lesserUser(): { uid: number; gid: number } | undefined {
  if (!isRoot()) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
  for (const name of ['postgres', 'nobody']) {
    const found = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users)
    if (found) return { uid: Number(found[1]), gid: Number(found[2]) }
  }
  throw new ClickledgerError('missing-program', 'PostgreSQL needs a user that is not root.')
}

/** Whether a user that is neither owner nor in the group can get into this folder. */
export function isOpenToOthers(folder: string): boolean {
  const path = resolve(folder)
  const mode = statSync(path, { throwIfNoEntry: false })?.mode
  const parent = dirname(path)
  return (mode === undefined || (mode & 0o001) !== 0) && (parent === path || isOpenToOthers(parent))
}
