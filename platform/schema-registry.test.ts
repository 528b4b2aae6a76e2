// The client of the schema registry against a small server that answers as Confluent's API says, and
// wrongly where a test asks for it. What real registries do is in platform/schema-registry.ts's
// decision record: a server of our own can only show that we do what we mean to.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import avro from 'avsc'
import { readSettings } from '#platform/config.ts'
import { decodeRawClick, encodeRawClick, publishedRawSchema, withSchemaId } from '#schemas/avro.ts'
import { rawWriterId } from '#schemas/avro-schema.ts'
import { topics } from '#schemas/topics.ts'
import { scratchDir } from '../tests/support/contract.ts'
import { clickWith } from '../tests/support/random-clicks.ts'
import { openSqliteEventLog } from './event-log/sqlite.ts'
import { registerSchemas } from './schema-registry.ts'
import { withRegistryIds } from './schema-registry-log.ts'
import { until } from './wait.ts'

const click = clickWith({ event_id: 'id-1', event_time: 5, received_time: 6, ad_id: 'ad' })
const subject = 'shop.clicks.raw-value'

interface FakeRegistry {
  readonly url: string
  /** Schemas by subject; the id is the place in `all`, from `firstId`. */
  readonly subjects: Map<string, string[]>
  readonly all: string[]
  readonly requests: string[]
  /** Answers instead of the registry while it gives something. */
  fault: (path: string) => { status: number; body: unknown } | undefined
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

async function startRegistry(t: ExecutionContext, firstId = 1): Promise<FakeRegistry> {
  const fake = { subjects: new Map(), all: [], requests: [], fault: () => undefined } as Omit<
    FakeRegistry,
    'url'
  >
  const idOf = (schema: string) => {
    if (!fake.all.includes(schema)) fake.all.push(schema)
    return firstId + fake.all.indexOf(schema)
  }
  const isCompatible = (newer: string, older: string) => {
    try {
      const [reader, writer] = [newer, older].map((s) => avro.Type.forSchema(JSON.parse(s)))
      return Boolean(writer && reader?.createResolver(writer))
    } catch {
      return false
    }
  }
  const answer = (path: string, body: string): { status: number; body: unknown } => {
    const byId = /^\/schemas\/ids\/(\d+)$/.exec(path)
    if (byId) return { status: 200, body: { schema: fake.all[Number(byId[1]) - firstId] } }
    const bySubject = /^\/subjects\/([^/]+)(\/versions)?$/.exec(path)
    if (!bySubject) return { status: 404, body: { error_code: 404, message: 'HTTP 404 Not Found' } }
    const name = decodeURIComponent(bySubject[1] ?? '')
    const { schema } = JSON.parse(body) as { schema: string }
    const versions = fake.subjects.get(name)
    if (versions?.includes(schema)) return { status: 200, body: { id: idOf(schema) } }
    if (!bySubject[2]) return { status: 404, body: { error_code: 40401, message: 'not found' } }
    const latest = versions?.at(-1)
    if (latest !== undefined && !isCompatible(schema, latest)) {
      return { status: 409, body: { error_code: 409, message: 'reader type: string' } }
    }
    fake.subjects.set(name, [...(versions ?? []), schema])
    return { status: 200, body: { id: idOf(schema) } }
  }
  const server = createServer(async (request, response) => {
    const path = request.url ?? ''
    const { authorization = '' } = request.headers
    fake.requests.push(`${request.method} ${path} ${authorization}`.trim())
    const body = await readBody(request)
    const { status, body: text } = fake.fault(path) ?? answer(path, body)
    response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
    response.end(JSON.stringify(text))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(fake, { url })
}

const settingsOf = (url: string) =>
  readSettings({ CLICKLEDGER_SCHEMA_REGISTRY_URL: url, CLICKLEDGER_NAMESPACE: 'shop' })

test('without a registry nothing is asked', async (t) => {
  t.is(await registerSchemas(settingsOf('')), undefined)
})

test('schemas are registered once, under the name of the topic, and looked up afterwards', async (t) => {
  const registry = await startRegistry(t, 71)
  t.deepEqual([...((await registerSchemas(settingsOf(registry.url))) ?? [])], [[1, 71]])
  t.deepEqual(
    registry.subjects.get(subject)?.map((s) => JSON.parse(s)),
    [publishedRawSchema(1)],
  )
  registry.requests.length = 0
  const nodes = await Promise.all([1, 2, 3].map(() => registerSchemas(settingsOf(registry.url))))
  for (const ids of nodes) t.deepEqual([...(ids ?? [])], [[1, 71]])
  t.false(
    registry.requests.some((line) => line.includes('/versions')),
    'nothing is written again',
  )
})

test('an incompatible schema stops the start, naming setting, subject and fix', async (t) => {
  const registry = await startRegistry(t)
  const theirs = { type: 'record', name: 'Other', fields: [{ name: 'event_id', type: 'int' }] }
  registry.subjects.set(subject, [JSON.stringify(theirs)])
  const error = await t.throwsAsync(registerSchemas(settingsOf(registry.url)), {
    code: 'incompatible-schema',
  })
  for (const part of [/SCHEMA_REGISTRY_URL/, /"shop\.clicks\.raw-value"/, /NAMESPACE|delete/]) {
    t.regex(error?.message ?? '', part)
  }
})

test('an id that stands for another schema is refused', async (t) => {
  const registry = await startRegistry(t)
  const other = JSON.stringify({ type: 'record', name: 'Other', fields: [] })
  registry.fault = (path) =>
    path.startsWith('/schemas/ids/') ? { status: 200, body: { schema: other } } : undefined
  await t.throwsAsync(registerSchemas(settingsOf(registry.url)), {
    ...{ code: 'incompatible-schema', message: /id 1 is not the schema/ },
  })
})

test('an id of the registry that is ours for another schema is refused', async (t) => {
  const registry = await startRegistry(t, 2)
  const first = publishedRawSchema(1)
  const second = { ...(first as object), doc: 'a later version' } as avro.Schema
  const wanted = new Map([
    [1, first],
    [2, second],
  ])
  await t.throwsAsync(registerSchemas(settingsOf(registry.url), wanted), {
    ...{ code: 'incompatible-schema', message: /schema 1 .* id 2/ },
  })
})

test('credentials travel as a header and never into a message', async (t) => {
  const registry = await startRegistry(t)
  const url = registry.url.replace('//', '//us%40er:se%3Acret@')
  await registerSchemas(settingsOf(url))
  const expected = `Basic ${Buffer.from('us@er:se:cret').toString('base64')}`
  t.true(registry.requests.every((line) => line.endsWith(expected)))
  for (const status of [401, 403]) {
    registry.fault = () => ({ status, body: { error_code: status, message: 'no' } })
    const error = await t.throwsAsync(registerSchemas(settingsOf(url)), {
      ...{ code: 'invalid-settings', message: /SCHEMA_REGISTRY_URL/ },
    })
    t.notRegex(error?.message ?? '', /cret/)
  }
})

test('a registry that is just starting is waited for, one that is away is not for long', async (t) => {
  const registry = await startRegistry(t)
  let failures = 3
  registry.fault = () =>
    failures-- > 0 ? { status: 503, body: { error_code: 50003, message: 'no leader' } } : undefined
  t.truthy(await registerSchemas(settingsOf(registry.url)))
  await t.throwsAsync(registerSchemas(settingsOf('http://127.0.0.1:9')), {
    ...{ code: 'unavailable', message: /SCHEMA_REGISTRY_URL.*127\.0\.0\.1:9 .*ECONNREFUSED/ },
  })
})

test('what is no registry is told so', async (t) => {
  const registry = await startRegistry(t)
  const code = 'invalid-settings'
  await t.throwsAsync(registerSchemas(settingsOf('ftp://x')), { code, message: /http\(s\) URL/ })
  await t.throwsAsync(registerSchemas(settingsOf(`${registry.url}/wrong`)), {
    ...{ code, message: /Check the URL/ },
  })
  registry.fault = () => ({ status: 200, body: '<html>' })
  await t.throwsAsync(registerSchemas(settingsOf(registry.url)), { code, message: /Check the URL/ })
})

test('on the wire stand the ids of the registry, on this side of it ours', async (t) => {
  const log = await openSqliteEventLog({ dir: scratchDir(t), now: Date.now })
  t.teardown(() => log.close())
  await log.ensureTopics(Object.values(topics), 1)
  const wrapped = withRegistryIds(log, new Map([[rawWriterId, 71]]))
  const value = encodeRawClick(click)
  const old = Buffer.from(value)
  const record = { key: 'ad:1', value, timestamp: 1 }
  await log.append(topics.raw.name, [record]) // from before there was a registry
  await wrapped.append(topics.raw.name, [record])
  await wrapped.append(topics.raw.name, [{ ...record, value: Buffer.from('no frame') }])
  await wrapped.append(topics.judged.name, [record])
  t.deepEqual(value, old, 'what is given to append stays as it is: it may be sent again')

  const idsOf = async (through: typeof log, topic: string) => {
    const reader = await through.reader(topic, 0, 0)
    const records = await reader.read(10, 1_000)
    t.is(reader.position, records.length)
    await reader.close()
    return records.map((r) => Buffer.from(r.value))
  }
  const wire = await idsOf(log, topics.raw.name)
  t.deepEqual(
    wire.slice(0, 2).map((bytes) => bytes.readUInt32BE(1)),
    [1, 71],
  )
  const read = await idsOf(wrapped, topics.raw.name)
  t.deepEqual(read.slice(0, 2), [old, old])
  t.is(read[2]?.toString(), 'no frame')
  t.deepEqual(await idsOf(log, topics.judged.name), [old])

  const handled: Buffer[] = []
  const processor = await wrapped.process({
    ...{ group: 'g', topic: topics.raw.name, outputs: [], maxRecords: 10, now: Date.now },
    open: async () => ({
      handle: (records) => {
        handled.push(...records.map((r) => Buffer.from(r.value)))
        return []
      },
    }),
  })
  await until(() => handled.length === 3, { what: 'all are handled' })
  await processor.close()
  t.deepEqual(handled.slice(0, 2), [old, old])
})

test("a stranger's id stays, and decoding refuses it by name", (t) => {
  const strange = withSchemaId(encodeRawClick(click), new Map([[rawWriterId, 99]]))
  const back = withSchemaId(strange, new Map([[71, rawWriterId]]))
  t.deepEqual(decodeRawClick(back), { kind: 'reject', reason: 'unknown schema id 99' })
})
