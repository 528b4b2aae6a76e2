// docs/ERRORS.md and docs/SETTINGS.md, written from the lists that the code uses. A test compares.
import { dimensions } from '#schemas/dimensions.ts'
import { type ErrorSpec, errors } from '#schemas/errors.ts'
import { archivedFields, type Field, judgedFields, rawFields } from '#schemas/fields.ts'
import { metrics } from '#schemas/metrics.ts'
import { type Setting, settings } from '#schemas/settings.ts'
import { marks } from '#schemas/verdicts.ts'
import { monitoringPage } from './monitoring-page.ts'

const generated = '<!-- Made by `npm run docs` from schemas/. Edit there. -->'
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

function errorsPage(): string {
  const rows = (Object.entries(errors) as [string, ErrorSpec][]).map(([code, spec]) => [
    `<a id="${code}"></a>\`${code}\``,
    String(spec.status),
    spec.retryable ? 'yes' : 'no',
    spec.title,
    spec.fix,
  ])
  return `# Errors

${generated}

HTTP answers carry them as \`application/problem+json\` (RFC 9457): \`code\` is the stable name,
\`detail\` says what was wrong in this case, \`fix\` what to do. The command line prints the same.

${table(['code', 'HTTP', 'try again', 'what it means', 'what to do'], rows)}
`
}

function settingsPage(): string {
  const rows = (Object.entries(settings) as [string, Setting][]).map(([name, spec]) => [
    `\`${name}\``,
    spec.default === '' ? '' : `\`${spec.default}\``,
    spec.choices ? `one of ${spec.choices.join(', ')}` : spec.type,
    spec.doc,
  ])
  return `# Settings

${generated}

Settings come from the environment. An unknown \`CLICKLEDGER_\` name or a malformed value stops the
process with one message that lists every fault. Durations are ISO 8601 (\`PT10M\`), sizes are
\`64MiB\`, lists are separated by commas.

${table(['name', 'default', 'form', 'what it does'], rows)}
`
}

const fieldTable = (fields: readonly Field[]) =>
  table(
    ['field', 'type', 'meaning'],
    fields.map((f) => [`\`${f.name}\``, f.type, f.doc]),
  )

function fieldsPage(): string {
  const added = archivedFields.filter((f) => !rawFields.some((r) => r.name === f.name))
  return `# Fields

${generated}

## Raw clicks: \`clicks.raw\` (Avro in Confluent framing) and the archive (Parquet)

${fieldTable(rawFields)}

The archive adds:

${fieldTable(added)}

## Judged clicks: \`clicks.judged\` (JSON)

${fieldTable(judgedFields)}

## Marks

${table(
  ['mark', 'meaning'],
  Object.entries(marks).map(([name, doc]) => [`\`${name}\``, doc]),
)}

## Dimensions

${table(
  ['dimension', 'meaning'],
  dimensions.map((d) => [`\`${d.name}\``, d.doc]),
)}

## Metrics

${table(
  ['metric', 'kind', 'meaning'],
  metrics.map((m) => [`\`${m.name}\``, m.kind, m.doc]),
)}
`
}

/** File name in docs/ -> content. */
export const pages: Readonly<Record<string, string>> = {
  'ERRORS.md': errorsPage(),
  'SETTINGS.md': settingsPage(),
  'FIELDS.md': fieldsPage(),
  'MONITORING.md': monitoringPage(
    '<!-- Made by `npm run docs` from docs/monitoring-page.ts and the metrics of the layers. Edit there. -->',
  ),
}
