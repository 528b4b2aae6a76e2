// docs/API.md as data: the calls it shows and the answers beside them. The page is the one place for
// examples; serving/openapi/examples.json, and with it /openapi.json, is made from it.
import { operationId } from '../../serving/openapi/operations.ts'

export interface ShownCall {
  /** `GET /v1/ads/{ad_id}/metrics`. */
  readonly title: string
  readonly description: string
  readonly script: string
  /** As the page shows it; undefined: none is shown. */
  readonly answer: unknown
}

const fence = /```(\w+)\n([\s\S]*?)\n```/g

function toCall(section: string): ShownCall | undefined {
  const [title = '', ...rest] = section.split('\n')
  const text = rest.join('\n')
  const blocks = new Map([...text.matchAll(fence)].map((match) => [match[1], match[2] ?? '']))
  const script = blocks.get('sh')
  if (!/^[A-Z]+ \//.test(title) || script === undefined) return undefined
  const json = blocks.get('json')
  return {
    ...{ title: title.trim(), script },
    description:
      text
        .split('```', 1)[0]
        ?.trim()
        .replaceAll(/\s*\n\s*/g, ' ') ?? '',
    answer: json === undefined ? undefined : JSON.parse(json),
  }
}

/** The calls of the page in its order: one under each `### METHOD /path`. */
export const callsOf = (page: string): ShownCall[] =>
  page.split(/^### /m).flatMap((section) => toCall(section.split(/^## /m)[0] ?? '') ?? [])

const widthMax = 96

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([name, one]) => `"${name}": ${onOneLine(one)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

/** JSON in which whatever fits on a line is on one. */
function laidOut(value: unknown, indent = ''): string {
  const line = onOneLine(value)
  if (typeof value !== 'object' || value === null || indent.length + line.length <= widthMax) {
    return line
  }
  const inner = `${indent}  `
  const items = Array.isArray(value)
    ? value.map((one) => inner + laidOut(one, inner))
    : Object.entries(value).map(([name, one]) => `${inner}"${name}": ${laidOut(one, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${items.join(',\n')}\n${indent}${close}`
}

/** The page with this answer under the call's script. */
export function withAnswer(page: string, { title, script }: ShownCall, answer: unknown): string {
  const shown = `\`\`\`sh\n${script}\n\`\`\`\n`
  const start = page.indexOf(shown, page.indexOf(`### ${title}\n`)) + shown.length
  const rest = page.slice(start).replace(/^\n```json\n[\s\S]*?\n```\n/, '')
  const json = `\n\`\`\`json\n${laidOut(answer)}\n\`\`\`\n`
  return page.slice(0, start) + json + rest
}

/** The JSON that a script sends. */
export function bodyOf({ script }: ShownCall): unknown {
  const text = /-d '([\s\S]*?)'/.exec(script)?.[1]
  return text === undefined ? undefined : JSON.parse(text)
}

const pathOf = (title: string) => title.replaceAll(/\{(\w+)\}/g, ':$1')

/** What /openapi.json takes from the page, by operation. */
export function examplesOf(page: string): string {
  const examples = callsOf(page).map((call) => {
    const [method = '', path = ''] = pathOf(call.title).split(' ')
    const { description, answer } = call
    return [operationId(method, path), { description, body: bodyOf(call), answer }]
  })
  return `${JSON.stringify(Object.fromEntries(examples), null, 2)}\n`
}

/** A list is shown by its first items, a long text by its beginning. */
export function shortened(value: unknown): unknown {
  if (typeof value === 'string' && value.length > 300) return `${value.slice(0, 300)}..`
  if (Array.isArray(value)) return value.slice(0, 2).map(shortened)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shortened(one)]))
}

const kindOf = (value: unknown) =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value

/**
 * Where an answer has another shape than the one shown: other fields, other types. null may stand for
 * anything; lists are compared by their first items, and an empty one says nothing.
 */
export function shapeFaults(shown: unknown, seen: unknown, at = 'answer'): string[] {
  const [a, b] = [kindOf(shown), kindOf(seen)]
  if (a === 'null' || b === 'null') return []
  if (a !== b) return [`${at} is shown as ${a} and is ${b}`]
  if (Array.isArray(shown) && Array.isArray(seen)) {
    const both = shown.length > 0 && seen.length > 0
    return both ? shapeFaults(shown[0], seen[0], `${at}[0]`) : []
  }
  if (a !== 'object') return []
  const [one, other] = [shown, seen] as [Record<string, unknown>, Record<string, unknown>]
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((name) => {
    if (!(name in other)) return [`${at}.${name} is shown and is not there`]
    if (!(name in one)) return [`${at}.${name} is there and not shown`]
    return shapeFaults(one[name], other[name], `${at}.${name}`)
  })
}
