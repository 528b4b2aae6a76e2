// The write-ahead log can take no more: it is at its limit because the event log is away, or its
// disk is full, alone or together with everything else. Users are redirected all the same, posts
// are told 503, nothing that was accepted is lost, and clicks are accepted again once there is room.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { readSettings } from '#platform/config.ts'
import { until } from '#platform/wait.ts'
import { type Load, loadAds, seededRandom, startLoad } from '../support/click-load.ts'
import { checkConservation, untilJudged, untilShipped } from '../support/conservation.ts'
import { scratchDir } from '../support/contract.ts'
import { askServing, ingestUrlOf, servingUrlOf, startProgram } from '../support/processes.ts'
import { seed } from '../support/random-clicks.ts'

interface Report {
  readonly data: readonly { readonly gross_click_count: number }[]
}

const poll = { everyMs: 20 }

async function startUnderLoad(t: ExecutionContext, more: Record<string, string>) {
  t.log(`seed ${seed}`)
  const key = `test-${randomUUID()}`
  const env = {
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_ADMIN_KEY: key,
    CLICKLEDGER_LATENESS: 'PT2H',
    ...more,
  }
  const start = async () => {
    const program = startProgram(t, 'start', env)
    return { program, ingestUrl: await ingestUrlOf(program) }
  }
  const load = startLoad({ random: seededRandom(seed), clients: 8, pauseMs: 40 })
  t.teardown(() => load.stop())
  return { env, key, load, start, settings: readSettings(env) }
}

/** What a user and a server are told while nothing can be accepted. */
async function checkRefusals(t: ExecutionContext, ingestUrl: string): Promise<void> {
  const redirect = await fetch(`${ingestUrl}/click/ad-1`, { redirect: 'manual' })
  t.is(redirect.status, 302)
  t.is(redirect.headers.get('location'), 'https://example.com/1')
  t.is(redirect.headers.get('x-click-accepted'), 'false')
  t.is(redirect.headers.get('x-click-id'), null)

  const pixel = await fetch(`${ingestUrl}/track/click?ad_id=ad-1`)
  t.is(pixel.status, 200)
  t.is(pixel.headers.get('x-click-accepted'), 'false')

  const post = await fetch(`${ingestUrl}/track/click_event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ad_id: 'ad-1' }),
  })
  t.is(post.status, 503)
  t.truthy(post.headers.get('retry-after'))
  t.like(await post.json(), { code: 'not-accepted', accepted: false, reason: 'not-accepted' })

  t.is((await fetch(`${ingestUrl}/livez`)).status, 200)
  t.is((await fetch(`${ingestUrl}/readyz`)).status, 503)
}

const untilAccepted = ({ ledger }: Load) => {
  const before = ledger.accepted.size
  const what = 'clicks are accepted'
  return until(() => ledger.accepted.size > before + 50, { ...poll, what })
}

/**
 * Waits until a run of clicks has been refused, with none accepted in between.
 * @param disk - kept full meanwhile: what was shipped gives its room back
 */
async function untilRefused({ ledger }: Load, disk?: FullDisk): Promise<void> {
  let accepted = -1
  let refused = 0
  const isRefusing = () => {
    disk?.fill()
    if (ledger.accepted.size !== accepted) {
      accepted = ledger.accepted.size
      refused = ledger.refused.size
    }
    return ledger.refused.size > refused + 50
  }
  await until(isRefusing, { ...poll, what: 'clicks are refused' })
}

test('the event log away and the write-ahead log at its limit: nothing accepted is lost', async (t) => {
  t.timeout(600_000)
  const { env, key, load, start, settings } = await startUnderLoad(t, {
    CLICKLEDGER_WAL_BYTES_MAX: '64KiB',
    CLICKLEDGER_WAL_SEGMENT_BYTES: '16KiB',
  })
  const { program, ingestUrl } = await start()
  await askServing(await servingUrlOf(program), key, '/v1/ads', loadAds)
  load.target = ingestUrl
  await untilAccepted(load)

  const blocker = new DatabaseSync(join(env.CLICKLEDGER_DATA_DIR, 'log', 'raw.sqlite'), {
    timeout: 30_000,
  })
  t.teardown(() => blocker.isOpen && blocker.close())
  blocker.exec('BEGIN EXCLUSIVE')
  await untilRefused(load)
  await checkRefusals(t, ingestUrl)
  blocker.exec('ROLLBACK')
  blocker.close()

  await untilAccepted(load)
  await load.stop()
  await untilShipped(ingestUrl)
  await untilJudged(settings)
  const { figures } = await checkConservation(t, settings, load.ledger)
  t.true(figures.refused && figures.refused > 0)
  t.is((await fetch(`${ingestUrl}/readyz`)).status, 200)
  t.deepEqual(await program.end('SIGTERM'), { code: 0, signal: null })
  t.log(JSON.stringify(figures))
})

/** A small filesystem of its own at `path`; false where that may not be made here. */
function mountSmall(t: ExecutionContext, path: string, size: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  mkdirSync(path, { recursive: true })
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path])
  if (mounted.status !== 0) return false
  t.teardown(() => spawnSync('umount', ['--lazy', path]))
  return true
}

interface FullDisk {
  /** Takes what room there is (again). */
  fill(): void
  giveBack(): void
}

/** Takes all the room that is left, or all but some. */
function fillDisk(dir: string, leaveBytes = 0): FullDisk {
  const path = join(dir, 'ballast')
  const fill = () => {
    const file = openSync(path, 'a')
    try {
      // Whole pages, then single bytes: no page that is half full is left either.
      for (const bytes of [4096, 1]) {
        try {
          const block = Buffer.alloc(bytes)
          while (writeSync(file, block) > 0);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        }
      }
      if (leaveBytes > 0) ftruncateSync(file, fstatSync(file).size - leaveBytes)
    } finally {
      closeSync(file)
    }
  }
  fill()
  return { fill, giveBack: () => rmSync(path) }
}

/** Waits until the full disk is all there is: everything accepted is shipped, no room comes back. */
async function untilFullForGood(load: Load, disk: FullDisk, ingestUrl: string): Promise<void> {
  await untilRefused(load, disk)
  await untilShipped(ingestUrl)
  await untilRefused(load, disk)
}

test('a full disk under the write-ahead log, also across a kill: nothing accepted is lost', async (t) => {
  t.timeout(600_000)
  const { env, key, load, start, settings } = await startUnderLoad(t, {
    CLICKLEDGER_WAL_SEGMENT_BYTES: '16KiB',
  })
  const wal = join(env.CLICKLEDGER_DATA_DIR, 'wal')
  if (!mountSmall(t, wal, '512k')) {
    t.log('SKIPPED: only root on Linux can mount the small filesystem that this test fills')
    return t.pass()
  }
  let { program, ingestUrl } = await start()
  await askServing(await servingUrlOf(program), key, '/v1/ads', loadAds)
  load.target = ingestUrl
  await untilAccepted(load)

  let disk = fillDisk(wal)
  await untilFullForGood(load, disk, ingestUrl)
  await checkRefusals(t, ingestUrl)
  disk.giveBack()
  await untilAccepted(load)

  disk = fillDisk(wal)
  await untilRefused(load, disk)
  await program.end('SIGKILL')
  load.target = undefined
  ;({ program, ingestUrl } = await start())
  load.target = ingestUrl
  await untilFullForGood(load, disk, ingestUrl)
  await checkRefusals(t, ingestUrl)
  disk.giveBack()
  await untilAccepted(load)

  await load.stop()
  await untilShipped(ingestUrl)
  await untilJudged(settings)
  const { figures } = await checkConservation(t, settings, load.ledger)
  t.deepEqual(await program.end('SIGTERM'), { code: 0, signal: null })
  t.log(JSON.stringify(figures))
})

test('a full disk under everything: redirects go on, and all layers go on when there is room', async (t) => {
  t.timeout(600_000)
  const { env, key, load, start, settings } = await startUnderLoad(t, {
    CLICKLEDGER_ARCHIVE_INTERVAL: 'PT0.3S',
  })
  if (!mountSmall(t, env.CLICKLEDGER_DATA_DIR, '48m')) {
    t.log('SKIPPED: only root on Linux can mount the small filesystem that this test fills')
    return t.pass()
  }
  const { program, ingestUrl } = await start()
  const servingUrl = await servingUrlOf(program)
  await askServing(servingUrl, key, '/v1/ads', loadAds)
  load.target = ingestUrl
  await untilAccepted(load)

  // What is left decides which layer meets the full disk first: with each amount another one.
  for (const leaveKiB of [600, 150, 40]) {
    const disk = fillDisk(env.CLICKLEDGER_DATA_DIR, leaveKiB * 1024)
    await untilRefused(load)
    const refused = load.ledger.refused.size
    const what = 'redirects go on for a while'
    await until(() => load.ledger.refused.size > refused + 500, { ...poll, what })
    t.true(program.isRunning, program.stderr.slice(-2_000))
    disk.giveBack()
    await untilAccepted(load)
  }

  await load.stop()
  await untilShipped(ingestUrl)
  await untilJudged(settings)
  const { judged, figures } = await checkConservation(t, settings, load.ledger)
  t.is(figures.unanswered, 0, 'every request was answered')
  const gross = async () => {
    const path = '/v1/reports/clicks/timeseries?granularity=all'
    const report = await askServing<Report>(servingUrl, key, path)
    return report.data[0]?.gross_click_count
  }
  const what = `the report counts ${judged.length} clicks`
  await until(async () => (await gross()) === judged.length, { ...poll, what })
  t.deepEqual(await program.end('SIGTERM'), { code: 0, signal: null })
  t.log(JSON.stringify(figures))
})
