import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'

const rounds = 20
const threads = 4

/** Waits for the others, opens the file of each round, writes. */
const opener = `
  const { workerData: { gate, dir, module, rounds, threads } } = require('node:worker_threads')
  import(module).then(async ({ openSqlite }) => {
    for (let round = 1; round <= rounds; round++) {
      Atomics.add(gate, 0, 1)
      while (Atomics.load(gate, 0) < round * threads);
      const db = await openSqlite(dir + '/' + round + '.sqlite', 10_000)
      db.exec('CREATE TABLE IF NOT EXISTS a (b INTEGER); INSERT INTO a VALUES (1)')
      db.close()
    }
  })`

test('several that open a new file at once wait for each other', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'sqlite-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const module = new URL('./sqlite.ts', import.meta.url).href
  const workerData = { gate, dir, module, rounds, threads }
  const ended = Array.from(
    { length: threads },
    () =>
      new Promise<void>((resolve, reject) => {
        const worker = new Worker(opener, { eval: true, workerData })
        worker.once('error', reject).once('exit', () => resolve())
        t.teardown(() => worker.terminate())
      }),
  )
  await t.notThrowsAsync(Promise.all(ended))
})
