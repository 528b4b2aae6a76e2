// Makes a fresh clone ready: installs the locked packages where they are missing or older than the
// lock file. Runs under whatever Node the machine has; everything after it runs under the Node 24
// that it installs.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = `${root}node_modules/.package-lock.json`
const isCurrent =
  existsSync(`${root}node_modules/.bin/node`) &&
  existsSync(installed) &&
  statSync(installed).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs

if (!isCurrent) {
  console.error('clickledger: installing packages (once; about a minute) ...')
  const windows = process.platform === 'win32'
  // Not `npm ci`: the lock file pins every package, but names native builds of the linter only for
  // platforms whose registry mirrors have them, and `ci` refuses a lock file without all of them.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const done = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: windows })
  if (done.status !== 0) {
    console.error('clickledger: npm install failed; see above. Is the npm registry reachable?')
    process.exit(1)
  }
}
