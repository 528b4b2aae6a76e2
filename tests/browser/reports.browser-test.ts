// The view of reports in a real browser, with an API that keeps the contract: what is shown is what was
// answered, the boundary is drawn, the address keeps the state.

import { until } from '#platform/wait.ts'
import { fixtureKey } from './support/made-up-api.ts'
import {
  figure,
  inBrowser,
  loaded,
  openReports,
  searchOf,
  settledDay,
  totalOf,
} from './support/reports.ts'

inBrowser('the numbers shown are the numbers answered', async (t) => {
  const { page, fixture, faults } = await openReports(t, { search: searchOf(settledDay()) })
  await loaded(page)
  const total = totalOf(fixture)
  t.is(await figure(page, 'valid'), Number(total.click_count))
  t.is(await figure(page, 'gross'), Number(total.gross_click_count))
  t.is(await figure(page, 'duplicate'), Number(total.duplicate_click_count))
  t.is(await figure(page, 'invalid'), Number(total.fraudulent_click_count))
  t.is(await figure(page, 'users'), Number(total.unique_user_count))
  const shown = await page.locator('[data-figure=valid] .value').textContent()
  t.is(shown, Number(total.click_count).toLocaleString('en-GB'))
  t.regex((await page.locator('.settled').textContent()) ?? '', /all of it final/)
  t.is(await page.locator('#chart').getAttribute('data-final'), '24')

  await page.locator('#table summary').click()
  const rows = page.locator('#table tbody tr')
  await rows.last().waitFor() // drawn after it has opened
  t.is(await rows.count(), 24)
  t.deepEqual(faults, [])
})

inBrowser(
  'the boundary is a line at its place, and what is above it looks different',
  async (t) => {
    const { page, fixture, faults } = await openReports(t, { boundaryHoursAgo: 2 })
    await loaded(page)
    const line = page.getByTestId('boundary')
    const [row] = fixture.timeseries('granularity=all').data
    t.truthy(row)
    const boundary = (Math.floor(Date.now() / 3_600_000) - 2) * 3_600_000
    t.is(await line.getAttribute('data-time'), new Date(boundary).toISOString())
    t.is(await line.getAttribute('data-place'), 'inside')
    t.regex((await line.textContent()) ?? '', /^final until /)
    const chart = page.locator('#chart')
    t.is(await chart.getAttribute('data-provisional'), '2')
    t.is(await chart.getAttribute('data-open'), '1')

    // Final bars are of one colour, hatched ones of several: count them in the lowest bar segments.
    const colours = await page.evaluate(() => {
      const document = Reflect.get(globalThis, 'document')
      const canvas = document.querySelector('#chart canvas')
      const over = document.querySelector('#chart .u-over')
      const scale = canvas.width / canvas.clientWidth
      const bucket = over.clientWidth / 25
      const at = (index: number) => {
        const x = (over.offsetLeft + (index + 0.3) * bucket) * scale
        const y = (over.offsetTop + over.clientHeight - 24) * scale
        const size = Math.floor(bucket * 0.4 * scale)
        const { data } = canvas.getContext('2d').getImageData(x, y, size, 20)
        const seen = new Set<string>()
        for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join())
        return seen.size
      }
      return { final: at(5), provisional: at(22) }
    })
    t.is(colours.final, 1)
    t.true(colours.provisional > 2, `${colours.provisional} colours in a hatched bar`)
    t.deepEqual(faults, [])
  },
)

inBrowser('the boundary keeps its place when the chart changes its size', async (t) => {
  const { page } = await openReports(t, { boundaryHoursAgo: 12, live: false })
  await loaded(page)
  const parts = await page.evaluate(async () => {
    const { document, requestAnimationFrame } = Object(globalThis)
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const seen: number[] = []
    for (const width of ['500px', '900px']) {
      document.querySelector('#chart').style.width = width
      for (let i = 0; i < 4; i++) await frame()
      const place = document.querySelector('.boundary').getBoundingClientRect()
      const over = document.querySelector('#chart .u-over').getBoundingClientRect()
      seen.push((place.left - over.left) / over.width)
    }
    return seen
  })
  t.true(
    parts.every((part) => part > 0.4 && part < 0.6),
    parts.join(),
  )
})

inBrowser('what is pointed at stays when the chart changes its size', async (t) => {
  const { page } = await openReports(t, { search: searchOf(settledDay()) })
  await loaded(page)
  await page.locator('#chart').focus()
  await page.keyboard.press('Home')
  const tip = page.locator('.tip')
  const first = await tip.textContent()
  for (const width of ['500px', '900px']) {
    await page.evaluate(async (to) => {
      const { document, requestAnimationFrame } = Object(globalThis)
      document.querySelector('#chart').style.width = to
      for (let i = 0; i < 4; i++) await new Promise((resolve) => requestAnimationFrame(resolve))
    }, width)
    t.true(await tip.isVisible(), width)
    t.is(await tip.textContent(), first)
  }
  await page.keyboard.press('ArrowRight')
  t.not(await tip.textContent(), first)
  await page.locator('#chart').blur()
  t.false(await tip.isVisible())
})

inBrowser('a click on a country filters: address, requests and numbers', async (t) => {
  const { page, fixture, faults } = await openReports(t, { search: searchOf(settledDay()) })
  await loaded(page)
  fixture.requests.length = 0
  await page.locator('[data-dimension=country] .row', { hasText: 'Germany' }).click()
  await page.waitForURL(/filters=country%3D%3DDE/)
  const total = totalOf(fixture, 'country==DE')
  await page.locator(`[data-figure=valid] [data-value="${total.click_count}"]`).waitFor()
  const series = fixture.requests.filter((path) => path.includes('/timeseries'))
  t.true(series.length > 0)
  t.true(series.every((path) => path.includes('filters=country%3D%3DDE')))
  // The breakdown that was clicked still offers the others.
  t.true((await page.locator('[data-dimension=country] .row').count()) > 3)

  await page.locator('[data-dimension=country] .row', { hasText: 'Brazil' }).click()
  await page.waitForURL(/DE%2CBR/)
  await page.locator('.chip .remove').click()
  await page.waitForFunction(() => !Reflect.get(globalThis, 'location').search.includes('filters'))
  await page.goBack()
  await page.waitForURL(/DE%2CBR/)
  t.regex((await page.locator('.chip').textContent()) ?? '', /Country.*Germany, Brazil/)
  t.deepEqual(faults, [])
})

inBrowser('a reload keeps state and key, and the key is not in the address', async (t) => {
  const search =
    '?range=7d&by_time=day&filters=device_type%3D%3Dmobile&tz=Asia%2FKolkata&by=browser'
  const { page, faults } = await openReports(t, { search })
  await loaded(page)
  t.false(page.url().includes('key'))
  await page.reload()
  await loaded(page)
  t.true(page.url().endsWith(search))
  t.is(await page.locator('[data-range="7d"]').getAttribute('aria-pressed'), 'true')
  t.is(await page.locator('#granularity').inputValue(), 'day')
  t.is(await page.locator('#time-zone').inputValue(), 'Asia/Kolkata')
  t.regex((await page.locator('.chip').textContent()) ?? '', /Device.*mobile/)
  t.is(await page.locator('#panels select').inputValue(), 'browser')
  t.deepEqual(faults, [])
})

inBrowser('live counts move the numbers without a new report', async (t) => {
  const { page, fixture, faults } = await openReports(t, { search: '?range=15m' })
  await loaded(page)
  await page.locator('#freshness[data-kind=live]').waitFor()
  const reports = () => fixture.requests.filter((path) => path.includes('/timeseries')).length
  const movesAlone = async () => {
    const before = { gross: await figure(page, 'gross'), reports: reports() }
    await page.waitForFunction(
      (was) =>
        Number(
          Reflect.get(globalThis, 'document').querySelector('[data-figure=gross] .value').dataset
            .value,
        ) !== was,
      before.gross,
    )
    return reports() === before.reports
  }
  // Now and then the page asks for a report all the same: between two of them is what counts.
  t.true(await until(movesAlone, { what: 'numbers that move without a report' }))
  t.deepEqual(faults, [])
})

inBrowser('without live counts the page polls, and says so', async (t) => {
  const { page, fixture } = await openReports(t, { live: false })
  await loaded(page)
  await page.locator('#freshness[data-kind=polling]').waitFor()
  fixture.requests.length = 0
  const polled = await page.waitForResponse(/timeseries/)
  t.is(polled.status(), 200)
})

inBrowser('a fault says what to do, keeps the old numbers, and goes away by itself', async (t) => {
  const { page, fixture } = await openReports(t, { search: searchOf(settledDay()) })
  await loaded(page)
  const before = await figure(page, 'valid')
  fixture.behaviour.problem = {
    status: 503,
    title: 'A store is not available.',
    detail: 'The OLAP store does not answer.',
    fix: 'Wait a little.',
  }
  await page.locator('[data-dimension=device_type] .row', { hasText: 'mobile' }).click()
  const notice = page.locator('#notice')
  await notice.waitFor()
  t.regex(
    (await notice.textContent()) ?? '',
    /not available.*does not answer.*Wait a little.*Try again/,
  )
  t.is(await figure(page, 'valid'), before)
  fixture.behaviour.problem = undefined
  await notice.waitFor({ state: 'hidden' })
  t.not(await figure(page, 'valid'), before)
})

inBrowser('a wrong key leads back to the question for one, with the reason', async (t) => {
  const { page } = await openReports(t, { key: 'clk_wrong' })
  await page.locator('#gate').waitFor()
  await page.getByText('does not know this key').waitFor()
  await page.getByRole('textbox', { name: 'API key' }).fill(fixtureKey)
  await page.getByRole('button', { name: 'Open the dashboard' }).click()
  await loaded(page)
  t.true((await figure(page, 'valid')) > 0)
})

inBrowser('no clicks: says so, and offers a way on', async (t) => {
  const { page, faults } = await openReports(t, { empty: true, search: '?filters=country%3D%3DXX' })
  await page.getByText('No clicks match these filters here.').waitFor()
  await page.getByRole('button', { name: 'Remove the filters' }).click()
  await page.getByText('No clicks in this range.').waitFor()
  t.is(await figure(page, 'valid'), 0)
  t.deepEqual(faults, [])
})

inBrowser('a phone of 360 px: nothing sticks out', async (t) => {
  const { page, faults } = await openReports(t, {
    width: 360,
    search:
      '?filters=country%3D%3DUS%2CDE%3Bad_id%21%3Da-very-long-ad-id-that-does-not-fit-on-any-phone',
  })
  await loaded(page)
  await page.locator('[data-range=custom]').click()
  await page.locator('#add-filter summary').click()
  const widths = await page.evaluate(() => {
    const root = Reflect.get(globalThis, 'document').documentElement
    return { content: root.scrollWidth, window: root.clientWidth }
  })
  t.is(widths.content, widths.window)
  t.deepEqual(faults, [])
})

inBrowser('dark: by the system, and by the button', async (t) => {
  const { page, faults } = await openReports(t, { dark: true })
  await loaded(page)
  const paper = () =>
    page.evaluate(() => {
      const { document, getComputedStyle } = Object(globalThis)
      return String(getComputedStyle(document.body).backgroundColor)
    })
  const dark = await paper()
  await page.getByRole('button', { name: 'Theme: auto' }).click()
  const light = await paper()
  t.not(light, dark)
  await page.reload()
  await loaded(page)
  t.is(await paper(), light)
  t.deepEqual(faults, [])
})

inBrowser('the keyboard alone: presets, chart and breakdowns', async (t) => {
  const { page, faults } = await openReports(t, { search: searchOf(settledDay()) })
  await loaded(page)
  await page.locator('#chart').focus()
  await page.keyboard.press('End')
  t.regex((await page.locator('#chart').getAttribute('aria-valuetext')) ?? '', /valid.*final/)
  t.true(await page.locator('.tip').isVisible())
  await page.locator('[data-dimension=country] .row').first().focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/filters=country%3D%3DUS/)
  const focused = await page.evaluate(
    () => Reflect.get(globalThis, 'document').activeElement.textContent as string,
  )
  t.regex(focused, /United States/, 'focus stays on the row that was pressed')
  t.deepEqual(faults, [])
})

inBrowser('days begin in the chosen zone, also where clocks change', async (t) => {
  const { page } = await openReports(t)
  const days = await page.evaluate(async (path) => {
    const time = await import(path)
    // Clocks go back on 2026-10-25 and forward on 2026-03-29 in Berlin; in Beirut at midnight.
    const of = (zone: string, from: string, to: string) =>
      time
        .bucketsOf({ start: Date.parse(from), end: Date.parse(to) }, 'day', zone)
        .map((b: { start: number; end: number }) => (b.end - b.start) / 3_600_000)
    return {
      autumn: of('Europe/Berlin', '2026-10-24T12:00Z', '2026-10-26T12:00Z'),
      spring: of('Europe/Berlin', '2026-03-28T12:00Z', '2026-03-30T12:00Z'),
      midnight: of('Asia/Beirut', '2026-03-28T12:00Z', '2026-03-30T12:00Z'),
    }
  }, '/shared/time.js')
  t.deepEqual(days, { autumn: [24, 25, 24], spring: [24, 23, 24], midnight: [24, 23, 24] })
})

inBrowser('events are found however the stream is cut', async (t) => {
  const { page } = await openReports(t)
  const seen = await page.evaluate(async (path) => {
    const { createEventParser } = await import(path)
    const text =
      ': hello\n\nretry: 5\n\nevent: counts\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: no json\n\nevent: counts\ndata: {"a":2}\n\n'
    return [1, 2, 7, text.length].map((size) => {
      const events: string[] = []
      const parse = createEventParser((event: string, data: unknown) =>
        events.push(event + JSON.stringify(data)),
      )
      for (let i = 0; i < text.length; i += size) parse(text.slice(i, i + size))
      return events.join(' ')
    })
  }, '/reports/live.js')
  t.deepEqual(seen, Array(4).fill('counts{"a":1} counts{"a":2}'))
})
