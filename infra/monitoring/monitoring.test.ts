// Alert rules, runbooks and dashboard against the code's own list of metrics: nothing is asked for
// that nobody measures, and no alert is without a page.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { parse } from 'yaml'
import { allMetrics } from '../../docs/metrics-list.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity?: string }
  readonly annotations: Readonly<Record<string, string>>
}

interface Target {
  readonly refId: string
  readonly expr: string
  readonly datasource: { readonly uid: string }
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const runbooks = new URL('../../docs/runbooks/', import.meta.url)

const { groups } = parse(read('alerts.yaml')) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(read('grafana/clickledger.json')) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Record<string, unknown>[] }
}
const shown = dashboard.panels.filter(({ type }) => type !== 'row')

/** Series that a metric is stored as. */
const series = new Set(
  allMetrics.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
)
const labels = new Map(allMetrics.map(({ name, labelNames }) => [name, labelNames]))

const unknownSeries = (text: string): string[] =>
  [...text.matchAll(/clickledger_\w+/g)].map(([name]) => name).filter((name) => !series.has(name))

/** Labels in the selectors of an expression that their metric does not have. */
function unknownLabels(expr: string): string[] {
  return [...expr.matchAll(/(clickledger_\w+)\{([^}]*)\}/g)].flatMap(
    ([, name = '', selector = '']) => {
      const own = labels.get(name) ?? labels.get(name.replace(/_(bucket|sum|count)$/, '')) ?? []
      const known = [...own, 'layer', 'instance', 'job', 'le']
      const used = [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)
      return used.filter((label) => !known.includes(label)).map((label) => `${name}{${label}}`)
    },
  )
}

const slugOf = (alert: string): string =>
  alert
    .replace(/^Clickledger/, '')
    .replace(/(?<=.)[A-Z]/g, '-$&')
    .toLowerCase()

test('metric names are unique but for those that every layer has', (t) => {
  const names = allMetrics.map(({ name }) => name)
  t.deepEqual(names, [...new Set(names)])
  t.true(names.length > 60)
})

test('alerts ask for metrics and labels that exist', (t) => {
  t.true(rules.length >= 20)
  for (const { alert, expr } of rules) {
    t.deepEqual([...unknownSeries(expr), ...unknownLabels(expr)], [], alert)
  }
})

test('every alert says for how long, how bad, what and where to read on', (t) => {
  for (const {
    alert,
    labels: { severity = '' },
    annotations,
    ...rule
  } of rules) {
    t.regex(alert, /^Clickledger[A-Z]\w+$/)
    t.regex(rule.for ?? '', /^\d+[mh]$/, alert)
    t.true(['warning', 'critical'].includes(severity), alert)
    t.truthy(annotations.summary, alert)
    t.truthy(annotations.description, alert)
    t.is(annotations.runbook_url, `docs/runbooks/${slugOf(alert)}.md`)
  }
})

test('every alert has a runbook, and every runbook an alert', (t) => {
  const pages = readdirSync(runbooks).sort()
  t.deepEqual(pages, rules.map(({ alert }) => `${slugOf(alert)}.md`).sort())
})

test('runbooks: what it means, what to look at, what to do and what not; queries and links hold', (t) => {
  for (const {
    alert,
    labels: { severity },
  } of rules) {
    const file = `${slugOf(alert)}.md`
    const page = readFileSync(new URL(file, runbooks), 'utf8')
    t.true(page.includes(`Alert \`${alert}\`, ${severity}.`), file)
    for (const heading of ['What it means', 'What to look at', 'What to do', 'What not to do']) {
      t.true(page.includes(`\n## ${heading}\n`), `${file}: ${heading}`)
    }
    t.deepEqual([...unknownSeries(page), ...unknownLabels(page)], [], file)
    for (const [, link = ''] of page.matchAll(/\]\(([^)]+\.md)\)/g)) {
      t.true(existsSync(new URL(link, runbooks)), `${file} links to ${link}`)
    }
  }
})

test('the dashboard: every panel has queries of known metrics, a unit and the chosen data source', (t) => {
  t.true(shown.length > 30)
  for (const { title, targets = [], datasource, fieldConfig } of shown) {
    t.true(targets.length > 0, title)
    t.truthy(fieldConfig?.defaults.unit, title)
    for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
      t.regex(source?.uid ?? '', /^\$\{datasource\}$/, title)
    }
    for (const { expr } of targets) {
      t.deepEqual([...unknownSeries(expr), ...unknownLabels(expr)], [], title)
    }
    t.is(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
  }
  const [source] = dashboard.templating.list
  t.like(source, { name: 'datasource', type: 'datasource', query: 'prometheus' })
})

test('the dashboard: ids are unique, panels lie side by side, rows are the layers', (t) => {
  t.is(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const cells = new Set<string>()
  for (const { title, gridPos } of dashboard.panels) {
    const { x, y, w, h } = gridPos
    t.true(x >= 0 && x + w <= 24, title)
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        t.false(cells.has(`${column},${line}`), `${title} lies on another panel`)
        cells.add(`${column},${line}`)
      }
    }
  }
  const rowTitles = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
  t.deepEqual(rowTitles, [
    ...['Is it healthy?', 'Ingest', 'Event log', 'Speed layer', 'Archive and boundary'],
    ...['Serving', 'OLAP store (Druid)', 'Processes'],
  ])
})
