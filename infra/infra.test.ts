// What can be known about the deployment files without an engine: they name settings, ports, paths
// and files that exist, and keep the promises that docs/DEPLOYMENT.md makes.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { readSettings } from '#platform/config.ts'
import { type Setting, type SettingName, settings } from '#schemas/settings.ts'
import {
  compose,
  exampleEnv,
  interpolate,
  manifests,
  read,
  root,
  settingsFile,
} from './validation/manifests.ts'

const { services, volumes, networks } = compose()
const layers = ['ingest', 'speed', 'archive', 'serve'] as const
const kubernetes = [...manifests('base'), ...manifests('overlays/production')]
const workloads = kubernetes.filter(({ spec }) => spec?.template)
const ours = workloads.filter(
  ({ spec }) => spec?.template?.spec.containers[0]?.image === 'clickledger',
)
const dockerfile = read('Dockerfile')

/** Containers that write to their root, or run as root, and why that cannot be helped. */
const writesItsRoot = new Map([
  ['redpanda', 'rpk writes /etc/redpanda at start'],
  ['zookeeper', 'its start script writes /conf'],
])
const runsAsRoot = new Map([['s3', 'a new volume belongs to root; it has no capability']])

const isPinned = (image: string) => /^[\w./-]+:v?\d+\.\d+(\.\d+)?[\w.-]*$/.test(image)
const units: Readonly<Record<string, number>> = {
  Gi: 2 ** 30,
  GiB: 2 ** 30,
  Mi: 2 ** 20,
  MiB: 2 ** 20,
}
const bytes = (text: string): number => {
  const [, number, unit = ''] = /^(\d+)(\w+)$/.exec(text) ?? []
  return Number(number) * (units[unit] ?? Number.NaN)
}

test('every setting named in a deployment file exists', (t) => {
  const files = ['Dockerfile', 'infra/compose.yaml', 'infra/.env.example', 'docs/DEPLOYMENT.md']
  files.push(...globSync('infra/kubernetes/**/*.{yaml,env}', { cwd: root }))
  const notSettings = new Set(['CLICKLEDGER_IMAGE'])
  for (const file of files) {
    const named = new Set(read(file).match(/CLICKLEDGER_[A-Z0-9_]*[A-Z0-9]/g))
    const unknown = [...named].filter((name) => !(name in settings) && !notSettings.has(name))
    t.deepEqual(unknown, [], file)
  }
})

const secretNames = Object.entries(settings as Record<SettingName, Setting>)
  .filter(([, { secret }]) => secret)
  .map(([name]) => name)

test('what compose and kubernetes set is accepted by the layers', (t) => {
  for (const layer of layers) {
    const env = services[layer]?.environment ?? {}
    const own = Object.entries(env).map(([name, value]) => [name, String(value)])
    t.notThrows(() => readSettings(Object.fromEntries(own)), layer)
  }
  const shared = {
    // Secrets come from elsewhere; that they come is what counts here.
    ...Object.fromEntries(secretNames.map((name) => [name, 'x'.repeat(32)])),
    CLICKLEDGER_WEBHOOK_URL: 'https://hooks.example/secret-path',
    ...settingsFile('infra/kubernetes/base/settings.env'),
    ...settingsFile('infra/kubernetes/overlays/production/settings.env'),
  }
  for (const { metadata, spec } of ours) {
    const env = spec?.template?.spec.containers[0]?.env ?? []
    const own = env.map(({ name, value }) => [name, value ?? metadata.name])
    t.notThrows(() => readSettings({ ...shared, ...Object.fromEntries(own) }), metadata.name)
  }
})

test('no secret is written down, and compose refuses to start without one', (t) => {
  const named = ['infra/kubernetes/base', 'infra/kubernetes/overlays/production'].flatMap(
    (folder) => Object.keys(settingsFile(`${folder}/settings.env`)),
  )
  t.deepEqual(
    named.filter((name) => secretNames.includes(name)),
    [],
  )
  const example = exampleEnv()
  const empty = Object.keys(example).filter((name) => !example[name] && !name.endsWith('_URL'))
  t.true(empty.length >= 8)
  for (const name of empty) {
    const others = Object.fromEntries(empty.map((other) => [other, other === name ? '' : 'x']))
    t.throws(() => interpolate(read('infra/compose.yaml'), others), { message: new RegExp(name) })
  }
})

test('images are pinned, and the image has the Node of the tests', (t) => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } }
  const from = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)
  t.deepEqual([...new Set(from)], [`node:${dependencies.node}-bookworm-slim`])
  for (const [name, { image }] of Object.entries(services)) {
    t.true(isPinned(image) || image === 'clickledger:local', `${name}: ${image}`)
  }
  const text = globSync('infra/kubernetes/**/*.yaml', { cwd: root }).map(read).join('\n')
  for (const [, image = ''] of text.matchAll(/^\s*(?:- )?image: (\S+\/\S+|\S+:\S+)$/gm)) {
    t.true(isPinned(image), image)
  }
})

test('the same servers in compose and kubernetes, in the same versions', (t) => {
  const production = read('infra/kubernetes/overlays/production/druid.yaml')
  t.true(production.includes(`image: ${services['druid-broker']?.image}`))
  const tag = services.redpanda?.image.split(':').at(-1)
  t.true(read('infra/kubernetes/overlays/production/redpanda.yaml').includes(`tag: ${tag}`))
})

test('compose: every container is hardened, limited, and says how it is', (t) => {
  for (const [name, service] of Object.entries(services)) {
    t.deepEqual(service.cap_drop, ['ALL'], name)
    t.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
    t.is(service.read_only ?? false, !writesItsRoot.has(name), `${name}: read_only`)
    t.is(/^[1-9]\d*:\d+$/.test(service.user ?? ''), !runsAsRoot.has(name), `${name}: user`)
    t.truthy(service.deploy?.resources?.limits?.memory, `${name}: memory`)
    t.truthy(service.deploy?.resources?.limits?.cpus, `${name}: cpus`)
    const isLayer = (layers as readonly string[]).includes(name) // the image brings its health check
    t.true(isLayer || service.healthcheck !== undefined, `${name}: healthcheck`)
    for (const port of service.ports ?? []) t.regex(port, /^127\.0\.0\.1:/, name)
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      t.truthy(services[other], `${name} waits for ${other}`)
      t.regex(condition, /^service_(healthy|completed_successfully)$/)
    }
    for (const network of service.networks ?? []) t.truthy(networks[network], network)
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':')
      const isThere = source.startsWith('./')
        ? existsSync(join(root, 'infra', source))
        : source in volumes
      t.true(isThere, `${name}: ${volume}`)
    }
  }
})

test('compose: addresses between containers name a service and a port that it has', (t) => {
  const listens: Record<string, number[]> = {
    redpanda: [9092, 8081, 9644],
    postgres: [5432],
    redis: [6379],
    s3: [7070],
    'druid-router': [8888],
    prometheus: [9090],
  }
  for (const [name, { environment = {} }] of Object.entries(services)) {
    for (const value of Object.values(environment)) {
      for (const [, host = '', port] of `${value}`.matchAll(/(?:^|@|\/\/)([a-z][\w-]*):(\d+)/g)) {
        t.true(listens[host]?.includes(Number(port)) ?? false, `${name}: ${host}:${port}`)
      }
    }
  }
  const targets = [...read('infra/prometheus/prometheus.yml').matchAll(/\[([\w-]+):(\d+)\]/g)]
  t.is(targets.length, layers.length + 1)
  for (const [, host = '', port] of targets) {
    const isLayer = (layers as readonly string[]).includes(host)
    t.true(isLayer ? port === '9100' : (listens[host]?.includes(Number(port)) ?? false), host)
  }
})

test('kubernetes: every container is hardened, limited and probed', (t) => {
  t.is(ours.length, 5)
  for (const { metadata, spec } of workloads) {
    const pod = spec?.template?.spec
    t.true(pod?.securityContext?.runAsNonRoot, metadata.name)
    t.is(pod?.securityContext?.seccompProfile?.type, 'RuntimeDefault', metadata.name)
    // A Service named clickledger would otherwise bring CLICKLEDGER_ variables that are no settings.
    t.false(pod?.enableServiceLinks, metadata.name)
    for (const container of pod?.containers ?? []) {
      const { securityContext, resources, startupProbe, readinessProbe, livenessProbe } = container
      t.is(
        securityContext?.readOnlyRootFilesystem,
        !writesItsRoot.has(container.name),
        container.name,
      )
      t.false(securityContext?.allowPrivilegeEscalation)
      t.deepEqual(securityContext?.capabilities?.drop, ['ALL'])
      for (const key of ['cpu', 'memory']) {
        t.truthy(resources?.requests?.[key], `${metadata.name}: ${key}`)
        t.truthy(resources?.limits?.[key], `${metadata.name}: ${key}`)
      }
      t.truthy(startupProbe && readinessProbe && livenessProbe, metadata.name)
    }
  }
})

test('kubernetes: probes ask paths and ports that the layers answer', (t) => {
  const known = { http: [8080, 8090], metrics: [9100] } as Record<string, number[]>
  for (const { metadata, spec } of ours) {
    const [container] = spec?.template?.spec.containers ?? []
    const ports = new Map(container?.ports?.map(({ name, containerPort }) => [name, containerPort]))
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
      const get = container?.[probe]?.httpGet
      t.is(get?.path, probe === 'readinessProbe' ? '/readyz' : '/livez', metadata.name)
      t.true(known[`${get?.port}`]?.includes(ports.get(`${get?.port}`) ?? 0), metadata.name)
    }
    t.is(
      ports.get('metrics'),
      Number(settingsFile('infra/kubernetes/base/settings.env').CLICKLEDGER_METRICS_PORT),
    )
  }
  t.is(settings.CLICKLEDGER_INGEST_PORT.default, '8080')
  t.is(settings.CLICKLEDGER_SERVING_PORT.default, '8090')
})

test('kubernetes: no click is lost by scaling, and there is one scheduler', (t) => {
  const named = (kind: string, name: string) =>
    kubernetes.find((m) => m.kind === kind && m.metadata.name === name)?.spec
  const ingest = named('StatefulSet', 'ingest')
  t.deepEqual(ingest?.persistentVolumeClaimRetentionPolicy, {
    whenDeleted: 'Retain',
    whenScaled: 'Retain',
  })
  const envOf = (spec: typeof ingest, name: string) =>
    spec?.template?.spec.containers[0]?.env?.find((entry) => entry.name === name)?.value
  const volume = ingest?.volumeClaimTemplates?.[0]?.spec.resources.requests.storage ?? '0Gi'
  t.true(bytes(volume) > bytes(envOf(ingest, 'CLICKLEDGER_WAL_BYTES_MAX') ?? '0GiB') * 1.2)
  const { CLICKLEDGER_PARTITIONS = '0' } = settingsFile('infra/kubernetes/base/settings.env')
  t.true((named('Deployment', 'speed')?.replicas ?? 0) <= Number(CLICKLEDGER_PARTITIONS))
  const schedulers = ours.filter(({ spec }) => envOf(spec, 'CLICKLEDGER_SCHEDULER') === 'true')
  t.deepEqual(
    schedulers.map(({ kind, spec }) => [kind, spec?.replicas]),
    [['StatefulSet', 1]],
  )
  t.is(envOf(named('Deployment', 'serve'), 'CLICKLEDGER_SCHEDULER'), 'false')
  for (const { metadata, spec } of ours) {
    const env = spec?.template?.spec.containers[0]?.env ?? []
    t.true(
      env.some(({ name }) => name === 'CLICKLEDGER_NODE_ID'),
      metadata.name,
    )
  }
})

test('the image holds every module that the command line can reach', (t) => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  )
  const rules = read('.dockerignore').split('\n')
  for (const path of copied) t.true(rules.includes(`!${path}`), `.dockerignore keeps ${path}`)
  const isCopied = (path: string) =>
    copied.some((dir) => path === dir || path.startsWith(`${dir}/`))
  const seen = new Set<string>()
  const queue = ['cli/main.ts', 'infra/image/health.ts', 'infra/image/create-buckets.ts']
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    const text = readFileSync(join(root, path), 'utf8')
    for (const [, specifier = ''] of text.matchAll(/['"]((?:\.{1,2}\/|#)[^'"\s]+\.ts)['"]/g)) {
      const target = specifier.startsWith('#')
        ? specifier.slice(1)
        : relative(root, join(root, dirname(path), specifier))
      if (existsSync(join(root, target))) queue.push(target)
    }
  }
  t.true(seen.size > 100)
  const local = (path: string) => path.startsWith('infra/local/') // `--stack local` is for a clone
  t.deepEqual(
    [...seen].filter((path) => !isCopied(path) && !local(path)),
    [],
  )
  t.deepEqual(
    [...seen].filter((path) => /\.(stack-)?test\.ts$|\/testing\//.test(path)),
    [],
  )
})

test('the layers reach the router, brokers and tasks of Druid from both ends of the network', (t) => {
  const leave = readFileSync(join(root, 'infra/kubernetes/base/network-policies.yaml'), 'utf8')
  const overlay = join(root, 'infra/kubernetes/overlays/production')
  const enter = readFileSync(join(overlay, 'network-policies.yaml'), 'utf8')
  const druid = readFileSync(join(overlay, 'druid.yaml'), 'utf8')
  for (const port of [8888, 8082, 8091]) {
    t.regex(druid, new RegExp(`druid\\.port: ${port}\\b`))
    for (const policies of [leave, enter]) t.regex(policies, new RegExp(`port: ${port}, protocol`))
  }
  // Middle managers give their tasks ports from 8100 on.
  for (const policies of [leave, enter]) t.regex(policies, /port: 8100, endPort: 8199, protocol/)
})
