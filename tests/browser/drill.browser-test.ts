// Drilling, clicks not billed, receipts and files: what an advertiser and a publisher do with reports.
import { readFile } from 'node:fs/promises'
import { looksFine } from './support/browser.ts'
import {
  figure,
  inBrowser,
  loaded,
  openReports,
  searchOf,
  settledDay,
  totalOf,
} from './support/reports.ts'

const search = searchOf(settledDay())
const eventId = '019aa0b4-52c1-7d3e-8a60-0c5f0b7d9e11'

inBrowser('campaigns, their ads, and where one was shown; and back', async (t) => {
  const { page, fixture, faults } = await openReports(t, { search })
  await loaded(page)
  const drill = page.locator('#drill')
  t.is(await drill.locator('h2').textContent(), 'Campaigns')
  t.true(await page.locator('#crumbs').isHidden())

  await drill.getByRole('link', { name: 'summer-26' }).click()
  await page.waitForURL(/filters=campaign_id%3D%3Dsummer-26/)
  await drill.getByRole('link', { name: 'summer-hero-1' }).click()
  await page.waitForURL(/summer-26%3Bad_id%3D%3Dsummer-hero-1/)
  const filters = 'campaign_id==summer-26;ad_id==summer-hero-1'
  const { click_count } = totalOf(fixture, filters)
  await page.locator(`[data-figure=valid] [data-value="${click_count}"]`).waitFor()
  t.is(await drill.locator('h2').textContent(), 'Publishers')
  const crumbs = await page.locator('#crumbs li').allTextContents()
  t.deepEqual(crumbs, ['All campaigns', 'Campaign summer-26', 'Ad summer-hero-1'])

  await page.reload()
  await loaded(page)
  t.is(await page.locator('#crumbs li').count(), 3)
  await page.locator('#crumbs').getByRole('link', { name: 'Campaign summer-26' }).click()
  await page.waitForURL((url) => !url.search.includes('ad_id'))
  await page.goBack()
  await page.waitForURL(/ad_id/)
  await page.locator('#crumbs').getByRole('link', { name: 'All campaigns' }).click()
  await page.waitForURL((url) => !url.search.includes('filters'))
  t.deepEqual(faults, [])
})

inBrowser('a table is ordered by its heads, and shows the change', async (t) => {
  const { page, fixture, faults } = await openReports(t, { search })
  await loaded(page)
  fixture.requests.length = 0
  await page.locator('#drill').getByRole('button', { name: 'Invalid' }).click()
  await page.waitForURL(/sort=fraudulent_click_count/)
  await page.locator('#drill th[aria-sort=descending]', { hasText: 'Invalid' }).waitFor()
  const asked = fixture.requests.find((path) => /topN.*dimension=campaign_id/.test(path)) ?? ''
  t.regex(asked, /metric=fraudulent_click_count/)
  t.regex(asked, /compare_to=previous_period/)
  const changes = await page.locator('#drill tbody .change').allTextContents()
  t.is(changes.length, 3)
  t.true(
    changes.every((text) => /^[+−]?[\d.]+%$/.test(text)),
    changes.join(),
  )
  t.deepEqual(faults, [])
})

inBrowser('the previous period in the chart and in its table', async (t) => {
  const { page, faults } = await openReports(t, { search })
  await loaded(page)
  await page.getByRole('button', { name: 'previous period' }).click()
  await page.waitForURL(/compare=1/)
  await page.locator('#table summary').click()
  await page.locator('#table th', { hasText: 'valid before' }).waitFor()
  await page.locator('#chart').focus()
  await page.keyboard.press('End')
  t.regex((await page.locator('.tip').textContent()) ?? '', /valid before/)
  t.deepEqual(faults, [])
})

inBrowser('files hold what is shown, and no address holds the key', async (t) => {
  const { page, fixture, faults } = await openReports(t, { search })
  await loaded(page)
  for (const [place, name, head] of [
    ['.chart-section', /^clicks-hour-.*\.csv$/, /^time,click_count/],
    ['#drill', /^clicks-campaign_id-.*\.csv$/, /^time,campaign_id/],
  ] as const) {
    const download = page.waitForEvent('download')
    await page.locator(place).getByRole('button', { name: 'Download CSV' }).click()
    const file = await download
    t.regex(file.suggestedFilename(), name)
    t.regex(await readFile(await file.path(), 'utf8'), head)
  }
  t.true(fixture.requests.every((path) => !path.includes('clk_')))
  t.deepEqual(faults, [])
})

inBrowser('clicks not billed: where from, and the rules in words', async (t) => {
  const { page, faults } = await openReports(t, { search })
  await loaded(page)
  const part = page.locator('#unbilled')
  t.is(await part.locator('dt').count(), 8)
  t.regex(
    (await part.textContent()) ?? '',
    /duplicate: double-click.*same ad and visitor, less than 10 s/,
  )
  await part.getByLabel('Clicks not billed, by').selectOption('device_type')
  await page.waitForURL(/why=device_type/)
  await part.getByRole('rowheader', { name: 'bot' }).waitFor()
  t.deepEqual(faults, [])
})

inBrowser('a receipt by its event id, kept in the address', async (t) => {
  const { page, faults } = await openReports(t, { search })
  await loaded(page)
  const receipt = page.locator('#receipt')
  await receipt.getByLabel('Event id').fill('no id')
  await receipt.getByRole('button', { name: 'Look up' }).click()
  await receipt.getByText('An event id looks like').waitFor()
  await receipt.getByLabel('Event id').fill(eventId)
  await page.keyboard.press('Enter')
  await receipt.getByText('Not billed: duplicate, by the rule double-click.').waitFor()
  await receipt.getByText('facts').click()
  await receipt.locator('[data-field=ad_id]', { hasText: 'summer-hero-1' }).waitFor()
  t.true(page.url().includes(`click=${eventId}`))
  await looksFine(t, page, 'advertiser')
  await receipt.getByRole('link', { name: 'Close the receipt' }).click()
  await page.waitForURL((url) => !url.search.includes('click='))
  t.deepEqual(faults, [])
})

inBrowser(
  'a publisher sees placements, and no rules that would help to get round them',
  async (t) => {
    const { page, fixture, faults } = await openReports(t, { search, role: 'publisher' })
    await loaded(page)
    const placements = page.locator('#placements')
    await placements.getByRole('rowheader', { name: 'front-page' }).waitFor()
    t.is(await page.locator('#drill h2').textContent(), 'Ads')
    t.false(fixture.requests.includes('/v1/rules'))
    t.true(await page.locator('#views').isHidden(), 'one view, no choice')
    await looksFine(t, page, 'publisher')
    await placements.getByRole('link', { name: 'video-15s' }).click()
    await page.waitForURL(/ad_id%3D%3Dvideo-15s/)
    t.true((await figure(page, 'valid')) > 0)
    t.deepEqual(faults, [])
  },
)

inBrowser(
  'the way in: axe in both themes, by keyboard alone, and from there to an ad',
  async (t) => {
    const { page, faults } = await openReports(t, { search, key: '' })
    await page.locator('#gate').waitFor()
    await looksFine(t, page, 'gate')
    await page.keyboard.type('clk_fixture')
    await page.keyboard.press('Enter')
    await loaded(page)
    const stops = await tabUntil(page, 'summer-26')
    t.true(stops.includes('24 h') && stops.includes('Add filter'), stops.join(' | '))
    await page.keyboard.press('Enter')
    await page.waitForURL(/summer-26/)
    await page.locator('#drill').getByRole('link', { name: 'summer-hero-1' }).waitFor()
    await tabUntil(page, 'Look up')
    t.deepEqual(faults, [])
  },
)

/** Presses Tab until an element of this name has the focus. @returns the stops on the way */
async function tabUntil(page: Awaited<ReturnType<typeof openReports>>['page'], name: string) {
  const stops: string[] = []
  while (stops.at(-1) !== name) {
    if (stops.length > 120) throw new Error(`${name} is not reached by Tab: ${stops.join(' | ')}`)
    await page.keyboard.press('Tab')
    const { text, isSeen } = await page.evaluate(() => {
      const element = Reflect.get(globalThis, 'document').activeElement
      const { outlineStyle } = Reflect.get(globalThis, 'getComputedStyle')(element)
      const text = String(element.textContent).trim() || `${element.localName}#${element.id}`
      return { text, isSeen: outlineStyle !== 'none' }
    })
    if (!isSeen) throw new Error(`the focus cannot be seen on ${text}`)
    stops.push(text)
  }
  return stops
}

inBrowser('a page is whole in under 200 kB, and asks nobody else', async (t) => {
  const { page, fixture } = await openReports(t, { key: '', search })
  let bytes = 0
  const foreign: string[] = []
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.setCacheDisabled', { cacheDisabled: true })
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(fixture.url)) {
      foreign.push(request.url())
    }
  })
  await page.goto(`${fixture.url}/#key=clk_fixture`)
  await page.reload()
  bytes = 0
  await page.reload()
  await loaded(page)
  await page.waitForLoadState('load')
  t.log(`${Math.round(bytes / 1000)} kB`)
  t.true(bytes > 20_000, 'something was counted')
  t.true(bytes < 200_000, `${bytes} bytes`)
  t.deepEqual(foreign, [])
})
