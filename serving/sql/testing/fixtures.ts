// Requests that Superset 6.1.0 sent to the gateway, and those that Grafana's Druid plugin makes.
import { readFileSync } from 'node:fs'

const folder = new URL('../fixtures/', import.meta.url)

export interface FixtureRequest {
  readonly what: string
  readonly body: { readonly query: string }
}

export const fixtureRequests: readonly FixtureRequest[] = ['superset.json', 'grafana.json'].flatMap(
  (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as FixtureRequest[],
)
