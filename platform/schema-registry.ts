// Registers the schemas of clicks.raw in a Confluent-compatible registry, and learns their ids
// there. A registry chooses ids itself, so they differ from the fixed ones of schemas/avro-schema.ts:
// schema-registry-log.ts translates between the two where records enter and leave the event log.
import avro from 'avsc'
import { type Dispatcher, request } from 'undici'
import { publishedRawSchema } from '#schemas/avro.ts'
import { rawSchemaIds } from '#schemas/avro-schema.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { topics } from '#schemas/topics.ts'
import type { Settings } from './config.ts'
import { backoffMs, pause } from './wait.ts'

const setting = 'CLICKLEDGER_SCHEMA_REGISTRY_URL'
const mediaType = 'application/vnd.schemaregistry.v1+json'
/** For connecting, for the answer's head, and for its body, each. */
const timeoutMs = 5_000
/** About five seconds of waiting in all: a registry that is just starting, or choosing its leader. */
const attemptsMax = 7
const answerBytesMax = 4 * 1024 * 1024

/** Ids of the published schemas of clicks.raw: ours -> the registry's. */
export type RegistryIds = ReadonlyMap<number, number>

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Its `call` names the registry without the credentials that its URL may hold. */
interface Registry {
  readonly name: string
  call(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer>
}

/** The subject of a topic's values, by the naming that every client defaults to. */
export const subjectOf = (topic: string): string => `${topic}-value`

/** `clicks.raw` as it is called in the log of this installation. */
export function rawSubject({ CLICKLEDGER_NAMESPACE: namespace }: Settings): string {
  return subjectOf(namespace === '' ? topics.raw.name : `${namespace}.${topics.raw.name}`)
}

/**
 * Makes sure that the registry has every published schema of clicks.raw, and asks for their ids.
 * Registering what is there already changes nothing: any number of nodes may do it at once, and a
 * registry that one may only read is enough once they are in it.
 * @param wanted - schemas by our own id, oldest first; others than the published ones only in tests
 * @returns their ids; undefined where no registry is set
 * @throws ClickledgerError `invalid-settings`, `unavailable`, `incompatible-schema`
 */
export async function registerSchemas(
  settings: Settings,
  wanted: ReadonlyMap<number, avro.Schema> = publishedSchemas(),
): Promise<RegistryIds | undefined> {
  const url = settings.CLICKLEDGER_SCHEMA_REGISTRY_URL
  if (url === '') return undefined
  const registry = openRegistry(url)
  const subject = rawSubject(settings)
  const ids = new Map<number, number>()
  for (const [own, schema] of wanted) {
    const id = await idOf(registry, subject, schema)
    await checkResolves(registry, subject, id, schema)
    ids.set(own, id)
  }
  refuseAmbiguous(ids, subject, registry)
  return ids
}

const publishedSchemas = () => new Map(rawSchemaIds.map((id) => [id, publishedRawSchema(id)]))

/** The id of a schema under the subject, where it is registered, else after registering it. */
async function idOf(registry: Registry, subject: string, schema: avro.Schema): Promise<number> {
  const path = `/subjects/${encodeURIComponent(subject)}`
  const body = { schema: JSON.stringify(schema) }
  const known = await registry.call('POST', path, body)
  const answer =
    known.status === 404 ? await registry.call('POST', `${path}/versions`, body) : known
  if (answer.status === 409) return refused(registry, subject, said(answer))
  if (answer.status === 403 || answer.body.error_code === 42205) {
    throw new ClickledgerError(
      'invalid-settings',
      `${setting}: the schema registry at ${registry.name} does not let us register subject "${subject}" (${said(answer)}). Give its user the right to write it, or register schemas/avro/*.avsc there in order.`,
    )
  }
  const { id } = answer.body
  if (answer.status !== 200 || typeof id !== 'number' || !Number.isInteger(id) || id < 0) {
    throw notARegistry(registry, answer)
  }
  return id
}

function refused(registry: Registry, subject: string, why: string): never {
  throw new ClickledgerError(
    'incompatible-schema',
    `${setting}: the schema registry at ${registry.name} has another schema under subject "${subject}", and ours is not compatible with it (${why}). If that subject is someone else's, set CLICKLEDGER_NAMESPACE to another name; if it is a leftover, delete it from the registry.`,
  )
}

/** What others will find under the id must read our bytes: the same fields and types in the same order. */
async function checkResolves(
  registry: Registry,
  subject: string,
  id: number,
  schema: avro.Schema,
): Promise<void> {
  const answer = await registry.call('GET', `/schemas/ids/${id}`)
  if (answer.status !== 200) throw notARegistry(registry, answer)
  let isSame = false
  try {
    isSame = fingerprint(JSON.parse(String(answer.body.schema))) === fingerprint(schema)
  } catch {
    // not Avro: told below
  }
  if (!isSame) refused(registry, subject, `id ${id} is not the schema that was registered`)
}

/** Of Avro's canonical form: names, types and order, without documentation and defaults. */
const fingerprint = (schema: avro.Schema) =>
  avro.Type.forSchema(schema).fingerprint('md5').toString('hex')

/**
 * Records from before the registry was set bear our own ids, until retention ends them. An id that
 * is ours for one schema and the registry's for another would be read as the wrong one.
 */
function refuseAmbiguous(ids: RegistryIds, subject: string, registry: Registry): void {
  for (const [own, id] of ids) {
    if (id === own || !ids.has(id)) continue
    throw new ClickledgerError(
      'incompatible-schema',
      `${setting}: the schema registry at ${registry.name} gave schema ${own} of subject "${subject}" the id ${id}, which without a registry means schema ${id}. Use a registry, or a context of it, in which this id is not taken.`,
    )
  }
}

const said = ({ status, body }: Answer): string =>
  typeof body.message === 'string' ? body.message : `HTTP ${status}`

const notARegistry = (registry: Registry, answer: Answer) =>
  new ClickledgerError(
    'invalid-settings',
    `${setting}: ${registry.name} does not answer as a Confluent-compatible schema registry (${said(answer)}). Check the URL, its path included.`,
  )

function openRegistry(text: string): Registry {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new ClickledgerError('invalid-settings', `${setting}: its value is not an http(s) URL`)
  }
  const base = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  const headers = {
    accept: `${mediaType}, application/json`,
    'content-type': mediaType,
    ...(user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
  }
  return {
    name: base,
    async call(method, path, body) {
      const options = {
        ...{ method, headers, body: body ? JSON.stringify(body) : null },
        ...{ headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
      }
      for (let attempt = 1; ; attempt++) {
        const answer = await ask(`${base}${path}`, options)
        if (answer instanceof Error || answer.status === 429 || answer.status >= 500) {
          if (attempt === attemptsMax) throw unavailable(base, answer)
          await pause(backoffMs(attempt, 2_000))
        } else if (answer.status === 401) {
          throw new ClickledgerError(
            'invalid-settings',
            `${setting}: the schema registry at ${base} refuses the user and password in the URL (${said(answer)}). Write them as https://user:password@host.`,
          )
        } else return answer
      }
    },
  }
}

type RequestOptions = NonNullable<Parameters<typeof request>[1]>

/** One request. What goes wrong on the way is a value: the caller decides how often to try. */
async function ask(url: string, options: RequestOptions): Promise<Answer | Error> {
  try {
    const { statusCode, body } = await request(url, options)
    return { status: statusCode, body: parseObject(await textOf(body)) }
  } catch (error) {
    return error as Error
  }
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw new Error(`an answer of more than ${answerBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function unavailable(base: string, last: Answer | Error): ClickledgerError {
  const code = last instanceof Error ? (last as NodeJS.ErrnoException).code : undefined
  const why = last instanceof Error ? [code, last.message].filter(Boolean).join(': ') : said(last)
  return new ClickledgerError(
    'unavailable',
    `${setting}: no schema registry answers at ${base} (${why}). Start it or correct the URL; leave the setting empty to do without one.`,
    last instanceof Error ? last : undefined,
  )
}
