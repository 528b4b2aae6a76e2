// The deployment files before the checkers of those who wrote the formats. Each checker is also
// shown a fault, so that a green one means something.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { needProgram } from './local/programs.ts'
import { composeText, read, root } from './validation/manifests.ts'
import {
  check,
  fetchGoTool,
  fetchHadolint,
  fetchKubernetesSchemas,
  kubernetesVersion,
} from './validation/tools.ts'

/** Their schemas are their operators': checked by hand for the versions that the files name. */
const customKinds = 'Druid,Redpanda,PodMonitor'

const fetchingFor = (t: ExecutionContext) => ({ progress: (line: string) => t.log(line) })

test('kubernetes: what kustomize builds is valid', async (t) => {
  t.timeout(600_000)
  const kustomize = await fetchGoTool('kustomize', fetchingFor(t))
  const kubeconform = await fetchGoTool('kubeconform', fetchingFor(t))
  const schemas = await fetchKubernetesSchemas(fetchingFor(t))
  const location = join(schemas, '{{.ResourceKind}}{{.KindSuffix}}.json')
  const args = ['-strict', '-summary', '-kubernetes-version', kubernetesVersion]
  const conform = (text: string) =>
    check(kubeconform, [...args, '-skip', customKinds, '-schema-location', location], text)
  for (const folder of ['base', 'overlays/production']) {
    const built = check(kustomize, ['build', join(root, 'infra/kubernetes', folder)])
    t.true(built.ok, built.output)
    const { ok, output } = conform(built.output)
    t.true(ok, output)
    t.regex(output, /Valid: [1-9]\d*, Invalid: 0, Errors: 0/)
    const wrong = conform(built.output.replace('maxUnavailable: 1', 'maxUnavailble: 1'))
    t.false(wrong.ok)
    t.regex(wrong.output, /maxUnavailble/)
  }
})

test('compose: the loader of the specification takes the file', async (t) => {
  t.timeout(600_000)
  const program = await fetchGoTool('cmd', fetchingFor(t))
  // Beside the file itself: it names others by relative paths.
  const dir = mkdtempSync(join(root, 'infra/.compose-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const load = (text: string) => {
    const file = join(dir, 'compose.yaml')
    writeFileSync(file, text)
    return check(program, ['-no-interpolation', file])
  }
  const { ok, output } = load(composeText())
  t.true(ok, output)
  t.regex(output, /druid-coordinator:/)
  t.false(load(composeText().replace('healthcheck:', 'healthchek:')).ok)
  t.false(load(composeText().replace('condition: service_healthy', 'condition: healthy')).ok)
})

test('Dockerfile: hadolint has nothing to say', async (t) => {
  t.timeout(600_000)
  const hadolint = await fetchHadolint(fetchingFor(t))
  const { ok, output } = check(hadolint, [join(root, 'Dockerfile')])
  t.true(ok, output)
  t.false(check(hadolint, ['-'], read('Dockerfile').replace(/USER .*/, 'USER root')).ok)
})

test('Prometheus takes its configuration and the alert rules', (t) => {
  const promtool = needProgram('promtool', 'Prometheus (Debian: apt-get install prometheus)')
  const config = check(promtool, [
    ...['check', 'config', '--syntax-only'],
    join(root, 'infra/prometheus/prometheus.yml'),
  ])
  t.true(config.ok, config.output)
  const rules = check(promtool, ['check', 'rules', join(root, 'infra/monitoring/alerts.yaml')])
  t.true(rules.ok, rules.output)
})
