// Debian's Chromium, and pages in it that tell what goes wrong: console errors, uncaught exceptions,
// violations of the policy. Needs Chromium on the PATH, or its path in CHROMIUM.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'

const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
/** Longer than a page takes on the busiest machine. */
const deadlineMs = 120_000

function findChromium(): string | undefined {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  const found = spawnSync('which', ['chromium'], { encoding: 'utf8' })
  return found.status === 0 ? found.stdout.trim() : undefined
}

const executablePath = findChromium()
const test = anyTest as TestFn<{ browser: Browser }>
export const inBrowser = executablePath ? test.serial : test.skip
if (!executablePath) {
  console.log('browser tests skipped: no Chromium. Install it, or set CHROMIUM to its path.')
}

test.before(async (t) => {
  if (!executablePath) return
  t.context.browser = await chromium.launch({
    ...{ executablePath, args: flags.split(' '), timeout: deadlineMs },
  })
})
test.after.always(async (t) => {
  await t.context.browser?.close()
})

export type T = ExecutionContext<{ browser: Browser }>

export interface How {
  readonly width?: number
  readonly dark?: boolean
  readonly timeZone?: string
}

export interface Opened {
  readonly page: Page
  /** Console errors, uncaught exceptions and violations of the policy. */
  readonly faults: string[]
}

/** A page in a browser context of its own, closed with the test. */
export async function openPage(t: T, url: string, how: How = {}): Promise<Opened> {
  const { width = 1280, dark = false, timeZone = 'UTC' } = how
  const context = await t.context.browser.newContext({
    viewport: { width, height: 800 },
    colorScheme: dark ? 'dark' : 'light',
    locale: 'en-GB',
    timezoneId: timeZone,
    reducedMotion: 'reduce',
  })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(deadlineMs)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) {
      faults.push(message.text())
    }
  })
  await page.goto(url)
  return { page, faults }
}

/** Whether anything sticks out of the window to the right. */
export async function isTooWide(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const root = Reflect.get(globalThis, 'document').documentElement
    return root.scrollWidth > root.clientWidth
  })
}

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
)

/** What axe-core finds wrong with the page as it is now, as `rule: element`. */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated by the debugger, not by the page: the page's policy allows no foreign script.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource)
  const found: AxeResults = await page.evaluate(() =>
    Reflect.get(globalThis, 'axe').run({ resultTypes: ['violations'] }),
  )
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary ?? ''}`),
  )
}

/** Screenshots of the last run, for people: SCREENSHOTS, or a folder among the temporary files. */
const screenshots = process.env.SCREENSHOTS ?? path.join(tmpdir(), 'clickledger-screenshots')

const looks = [
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 1280 },
  { colorScheme: 'dark', width: 360 },
  { colorScheme: 'light', width: 360 },
] as const

/** Light and dark, on a desk and on a phone: axe finds nothing, and nothing sticks out. */
export async function looksFine(t: T, page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true })
  for (const { colorScheme, width } of looks) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 800 })
    const look = `${name}-${colorScheme}-${width}`
    await page.locator('main[data-stale=true]').waitFor({ state: 'detached' }) // dimmed
    t.deepEqual(await violations(page), [], look)
    t.false(await isTooWide(page), look)
    await page.screenshot({ path: path.join(screenshots, `${look}.png`), fullPage: true })
  }
  await page.setViewportSize({ width: 1280, height: 800 })
}
