// The view of reports over a made-up API, opened.
import type { Page } from 'playwright-core'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { type How, type Opened, openPage, type T } from './browser.ts'
import {
  type Behaviour,
  type DashboardFixture,
  fixtureKey,
  startDashboardFixture,
} from './made-up-api.ts'

export { inBrowser } from './browser.ts'

export interface HowReports extends Partial<Behaviour>, How {
  readonly search?: string
  readonly key?: string
}

export async function openReports(
  t: T,
  how: HowReports = {},
): Promise<Opened & { fixture: DashboardFixture }> {
  const { search = '', key = fixtureKey, width, dark, timeZone, ...behaviour } = how
  const fixture = await startDashboardFixture(behaviour)
  t.teardown(() => fixture.close())
  const looks = {
    ...(width ? { width } : {}),
    ...(dark ? { dark } : {}),
    ...(timeZone ? { timeZone } : {}),
  }
  const opened = await openPage(t, `${fixture.url}/${search}#key=${key}`, looks)
  return { ...opened, fixture }
}

export const loaded = (page: Page) => page.locator('#chart[data-final] canvas').waitFor()
export const figure = async (page: Page, name: string) =>
  Number(await page.locator(`[data-figure=${name}] .value`).getAttribute('data-value'))

/** Longer than the boundary is behind: just after midnight, yesterday is not final yet. */
const settledMs = 3 * hourMs

/** The last day wholly below the boundary: its numbers stand still. */
export function settledDay() {
  const end = Math.floor((Date.now() - settledMs) / dayMs) * dayMs
  const iso = (ms: number) => new Date(ms).toISOString()
  return { start_time: iso(end - dayMs), end_time: iso(end) }
}
export const searchOf = ({ start_time, end_time }: ReturnType<typeof settledDay>) =>
  `?from=${start_time}&to=${end_time}`

export function totalOf(fixture: DashboardFixture, filters = '') {
  const query = new URLSearchParams({ ...settledDay(), granularity: 'all', filters })
  const [row] = fixture.timeseries(query.toString()).data
  if (!row) throw new Error('the fixture has no clicks')
  return row
}
