// Fetches what the servers run from, once per machine: a folder of the cache is named by the hash of
// all that decides its content, and appears by one rename, so what is there is whole. Maven checks
// the checksums of its repository and Go those of its checksum database: both fail on a mismatch.
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lockDirectory } from '#platform/directory-lock.ts'
import { pause } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { needProgram } from './programs.ts'
import { type Fetching, run } from './run.ts'

const poms = fileURLToPath(new URL('poms', import.meta.url))
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
const versitygw = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'
const lockWaitMs = 20 * 60_000

const cacheDir = () =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'clickledger', 'stack')

/** Jars of a pom; several modules: a folder of jars each. @returns the folder */
export function fetchJars(pom: 'kafka-4.4' | 'kafka-3.9' | 'druid', fetching: Fetching) {
  const folder = join(poms, pom)
  const files = globSync('**/pom.xml', { cwd: folder }).sort()
  const content = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\0')
  const isReactor = files.length > 1
  return cached(pom, content + copyDependencies, fetching, async (into) => {
    const mvn = needProgram('mvn', 'Maven: it fetches the jars of Kafka and Druid')
    const output = isReactor ? `${into}/\${project.artifactId}` : into
    const args = ['-B', '-q', '-ntp', '-C', '-f', join(folder, 'pom.xml'), copyDependencies]
    // The jars of another user of the same local repository must not be half written.
    const unlock = await waitForLock(join(cacheDir(), 'maven.lock'), fetching.signal)
    try {
      const more = ['-DincludeScope=runtime', `-DoutputDirectory=${output}`]
      await run(mvn, [...args, ...more], { signal: fetching.signal })
    } finally {
      unlock()
    }
  })
}

/** The S3 server, built from its module. @returns the program */
export async function fetchVersitygw(fetching: Fetching): Promise<string> {
  const folder = await cached('versitygw', versitygw, fetching, async (into) => {
    const go = needProgram('go', 'Go: it fetches and builds versitygw, the S3 server')
    await run(go, ['install', '-trimpath', versitygw], {
      env: { GOBIN: into, CGO_ENABLED: '0' }, // needs no C compiler
      signal: fetching.signal,
    })
  })
  return join(folder, 'versitygw')
}

/** A folder made once per machine. @returns its path */
export async function cached(
  name: string,
  content: string,
  { progress, signal }: Fetching,
  make: (into: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 12)
  const folder = join(cacheDir(), `${name}-${hash}`)
  if (isFolder(folder)) return folder
  const unlock = await waitForLock(`${folder}.lock`, signal)
  const partial = `${folder}.partial`
  try {
    if (isFolder(folder)) return folder // another process has fetched it meanwhile
    progress(`${name}: fetching`)
    const startedAt = performance.now()
    rmSync(partial, { recursive: true, force: true })
    mkdirSync(partial, { recursive: true })
    await make(partial)
    renameSync(partial, folder)
    progress(`${name}: fetched in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    return folder
  } finally {
    rmSync(partial, { recursive: true, force: true })
    unlock()
  }
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

async function waitForLock(dir: string, signal?: AbortSignal): Promise<() => void> {
  const deadline = Date.now() + lockWaitMs
  for (;;) {
    signal?.throwIfAborted()
    try {
      return lockDirectory(dir)
    } catch (error) {
      const isHeld = error instanceof ClickledgerError && error.code === 'already-running'
      if (!isHeld || Date.now() > deadline) throw error
    }
    await pause(200, signal)
  }
}
