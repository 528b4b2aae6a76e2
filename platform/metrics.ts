// Prometheus metrics. Each layer has a registry of its own, so that several layers in one process
// keep their names apart by the label `layer`.
import { collectDefaultMetrics, Registry } from 'prom-client'

export function createRegistry(layer: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ layer })
  return registry
}

/** Adds process figures (CPU, memory, event loop). Once in a process. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, prefix: 'clickledger_' })
}
