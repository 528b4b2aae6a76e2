// The deployment files as values, for the tests that hold them to the code. No engine reads them
// here; what Docker and Kubernetes would do with a file (variables, merges) is done just so far.
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8')

const variable = /\$\{(\w+)(?:(:[-?])((?:[^{}]|\$\{[^{}]*\})*))?\}/g

/** Replaces `${X}`, `${X:-default}` and `${X:?why}` as compose does. @throws Error where X is needed */
export function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(variable, (_, name: string, operator = '', rest = '') => {
    const value = env[name]
    if (value) return value
    if (operator === ':?') throw new Error(`${name}: ${rest}`)
    return interpolate(rest, env)
  })
}

/** Names in .env.example -> values there. */
export function exampleEnv(): Record<string, string> {
  const lines = read('infra/.env.example').split('\n')
  return Object.fromEntries(
    lines
      .filter((line) => /^\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

/** The same with every secret filled in. */
export const filledEnv = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(exampleEnv()).map(([name, value]) => [
      name,
      value || (name.endsWith('_URL') ? '' : 'x'.repeat(32)),
    ]),
  )

export interface ComposeService {
  readonly image: string
  readonly command?: readonly string[]
  readonly user?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly ports?: readonly string[]
  readonly networks?: readonly string[]
  readonly volumes?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly deploy?: { readonly resources?: { readonly limits?: Readonly<Record<string, string>> } }
  readonly stop_grace_period?: string
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

export const composeText = (): string => interpolate(read('infra/compose.yaml'), filledEnv())
export const compose = (): Compose => parse(composeText(), { merge: true })

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number }
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  readonly securityContext?: {
    readonly readOnlyRootFilesystem?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly capabilities?: { readonly drop?: readonly string[] }
  }
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
  }
}

export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly spec?: {
    readonly replicas?: number
    readonly maxReplicas?: number
    readonly persistentVolumeClaimRetentionPolicy?: Readonly<Record<string, string>>
    readonly volumeClaimTemplates?: readonly {
      readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } }
    }[]
    readonly template?: {
      readonly spec: {
        readonly enableServiceLinks?: boolean
        readonly terminationGracePeriodSeconds?: number
        readonly securityContext?: {
          readonly runAsNonRoot?: boolean
          readonly seccompProfile?: { readonly type: string }
        }
        readonly containers: readonly Container[]
      }
    }
  }
}

/** All manifests under a folder of infra/kubernetes, as they are written. */
export function manifests(folder: string): Manifest[] {
  const files = globSync(`${root}infra/kubernetes/${folder}/*.yaml`).sort()
  return files
    .filter((file) => !file.endsWith('kustomization.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')))
    .map((document) => document.toJS())
}

/** NAME=value lines of a file of settings. */
export const settingsFile = (path: string): Record<string, string> =>
  Object.fromEntries(
    read(path)
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  )
