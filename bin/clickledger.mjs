#!/usr/bin/env node
// Entry of the command line: makes sure that Node 24 runs it, then hands over to cli/main.ts.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const node24 = `${root}node_modules/.bin/node`
if (!existsSync(node24)) {
  console.error('clickledger: packages are missing. Run `npm install` in the project first.')
  process.exit(1)
}
// File syncs, DuckDB's queries and DNS share libuv's thread pool; with the default of 4 a long
// query could make a click wait for its fdatasync. The pool's size is fixed when a process starts.
const env = { UV_THREADPOOL_SIZE: '16', ...process.env }
const child = spawn(node24, [`${root}cli/main.ts`, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env,
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the whole group: the child has it already.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  })
}
child.on('error', (error) => {
  console.error(`clickledger: ${error.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  process.exit(code ?? (signal === 'SIGINT' ? 130 : 143))
})
