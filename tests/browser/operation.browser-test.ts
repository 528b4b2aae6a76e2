// An engineer's night in a real browser on a real instance: a backfill is planned, looked at, approved
// and taken back; reconciliation and dead letters are read and acted on.
import { defaultRuleSetJson } from '#core/rules/rule-set.ts'
import { until } from '#platform/wait.ts'
import { differenceClassNames } from '#schemas/reconciliation.ts'
import { topics } from '#schemas/topics.ts'
import { inBrowser, looksFine, openPage, violations } from './support/browser.ts'
import { end, startOperation } from './support/operation.ts'

const hourMs = 3_600_000
const field = (ms: number) => new Date(ms).toISOString().slice(0, 16)

inBrowser(
  'a backfill: planned, looked at, approved and rolled back through the page',
  async (t) => {
    const { instance, key, url } = await startOperation(t)
    const rules = defaultRuleSetJson.rules.filter(({ id }) => id === 'repeat-impression')
    await instance.post('/v1/rules', JSON.parse(JSON.stringify({ rules })))
    const { page, faults } = await openPage(t, `${url}/#key=${key}`)
    const seal = page.locator('#runs tbody tr', { hasText: 'seal' })
    await seal.locator('[data-tone=good]', { hasText: 'done' }).first().waitFor()
    t.is(await page.locator('#reader').textContent(), 'night shift · engineer')

    await page.getByText('Plan a backfill').click()
    const form = page.locator('#plan')
    t.is(await form.getByLabel('to', { exact: true }).inputValue(), field(end))
    await form.getByLabel('from (UTC)').fill(field(end - 2 * hourMs))
    await form.getByLabel('Reason').fill('the double-click rule was wrong')
    await form.getByLabel('Rule set').fill('7')
    await form.getByRole('button', { name: 'Plan' }).click()
    await form
      .getByRole('alert')
      .filter({ hasText: /rule set/i })
      .waitFor()
    await form.getByLabel('Rule set').fill('2')
    await form.getByRole('button', { name: 'Plan' }).click()

    await page.waitForURL(/run=/)
    const run = page.locator('#run')
    await run.getByRole('heading', { name: 'What publishing changes: 2 hours' }).waitFor()
    t.true((await run.getByRole('region', { name: /^Guard rails touched/ }).count()) === 1)
    t.is(await run.getByRole('region', { name: 'By hour' }).locator('tbody tr').count(), 2)
    await looksFine(t, page, 'run')

    // Thought better of, then done, both by keyboard.
    await run.getByRole('button', { name: 'Approve' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: /^Approve/ })
    await dialog.waitFor()
    t.deepEqual(await violations(page), [])
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.keyboard.press('Enter')
    await dialog.waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await run.locator('.status', { hasText: 'done' }).waitFor()
    const runId = new URL(page.url()).searchParams.get('run') ?? ''
    const done = await instance.ask<{ status: string; approved_by: string }>(
      `/v1/backfills/${runId}`,
    )
    t.is(done.status, 'done')
    t.regex(done.approved_by, /night shift|clk_/)

    await run.getByRole('button', { name: 'Roll back' }).click()
    await page.getByRole('dialog').getByLabel('Reason').fill('the window was right after all')
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
    await page.waitForURL((address) => !address.search.includes(runId))
    await run.getByRole('heading', { name: /^rollback/ }).waitFor()
    await page.goBack()
    await run.getByRole('heading', { name: `backfill ${runId}` }).waitFor()
    t.deepEqual(
      faults.filter((text) => !/40[04]/.test(text)),
      [],
    )
  },
)

inBrowser('freshness, boundary, reconciliation, dead letters', async (t) => {
  const { instance, log, key, url } = await startOperation(t)
  await log.append(topics.raw.name, [
    { key: 'k', value: Buffer.from('no click at all'), timestamp: end },
  ])
  const letters = async () => (await instance.ask<{ data: unknown[] }>('/v1/dead-letters')).data
  await until(async () => (await letters()).length > 0, { what: 'a dead letter' })
  const compared = async () =>
    (
      await instance.ask<{ data: unknown[] }>(
        `/v1/reconciliation?from=${field(end - 3 * hourMs)}&to=${field(end)}`,
      )
    ).data.length === 3
  await until(compared, { everyMs: 100, what: 'the hours are compared' })
  const { page, faults } = await openPage(t, `${url}/#key=${key}`)

  await page.locator('#layers tbody tr').nth(3).waitFor()
  await page.locator('#boundary .value', { hasText: field(end).replace('T', ' ') }).waitFor()
  await page.locator('#boundary summary').click()
  t.true((await page.locator('#boundary tbody tr').count()) >= 2)

  const reconciliation = page.locator('#reconciliation')
  await reconciliation.getByRole('region', { name: 'Differences by class' }).waitFor()
  const named = await reconciliation
    .getByRole('region', { name: 'Differences by class' })
    .getByRole('rowheader')
    .allTextContents()
  const words = await page.evaluate(
    async (path) => Object.keys((await import(path)).classWords),
    '/operation/reconciliation.js',
  )
  t.deepEqual(words, differenceClassNames)
  t.true(
    named.every((name) => words.some((word) => name.startsWith(word))),
    named.join(),
  )
  await reconciliation.locator('td summary').first().click()
  t.true((await reconciliation.locator('td li').count()) > 0)
  await looksFine(t, page, 'operation')

  const dead = page.locator('#dead-letters')
  await dead.getByText('no click at all').waitFor()
  t.true(await dead.getByRole('button', { name: 'Replay chosen' }).isDisabled())
  await dead.getByRole('checkbox').check()
  await dead.getByRole('button', { name: 'Replay chosen' }).click()
  // Another one comes while the question is open; who thinks better of it is back at the same button.
  await log.append(topics.raw.name, [
    { key: 'k', value: Buffer.from('nor is this'), timestamp: end },
  ])
  await dead.getByText('nor is this').waitFor()
  await page.keyboard.press('Escape')
  await page.waitForFunction(
    () => Reflect.get(globalThis, 'document').activeElement.textContent === 'Replay chosen',
  )
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click()
  await page.locator('.said', { hasText: '1 undecodable' }).waitFor()
  t.deepEqual(faults, [])
})

inBrowser('each view is for its role; a key for operation sees reports too', async (t) => {
  const { instance, key, url } = await startOperation(t)
  const { page, faults } = await openPage(t, `${url}/#key=${key}`)
  await page.locator('#layers tbody').waitFor()
  await page.getByRole('link', { name: 'Reports' }).click()
  await page.locator('#chart canvas').waitFor()
  t.true(page.url().endsWith('?view=reports'))
  await page.reload()
  await page.locator('#chart canvas').waitFor()
  await page.goBack()
  await page.locator('#layers tbody').waitFor()

  const ad = { ad_id: 'ad-1', advertiser_id: 'adv-1', target_url: 'https://a.example/' }
  await instance.post('/v1/ads', [ad])
  const tenant = await instance.post<{ key: string }>('/v1/keys', {
    ...{ role: 'advertiser', advertiser_id: 'adv-1' },
  })
  const other = await openPage(t, `${url}/?view=operation#key=${tenant.key}`)
  await other.page.locator('#chart canvas').waitFor()
  t.true(await other.page.locator('#operation').isHidden())
  t.true(await other.page.locator('#views').isHidden())
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.locator('#gate').waitFor()
  t.is(await page.evaluate(() => Reflect.get(globalThis, 'sessionStorage').length), 0)
  t.deepEqual(
    [...faults, ...other.faults].filter((text) => !text.includes('400')),
    [],
  )
})
