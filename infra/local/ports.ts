// Ports of a stack: one block, fixed, given or free. All free ones lie below the range from which the
// system takes ports for outgoing connections: there, a client that keeps trying to reach a dead
// server can end up connected to itself, on the very port that the server wants back.
import { createServer } from 'node:net'
import { portsInBlock } from './state.ts'

/** First port of the stack that `--ports fixed` means. */
export const fixedPortBase = 19_000
const freeRange = { start: 10_000, end: 30_000 }
const triesMax = 100

/** @returns the ports of the block that something listens on */
export async function takenPorts(portBase: number): Promise<number[]> {
  const ports = Array.from({ length: portsInBlock }, (_, i) => portBase + i)
  const free = await Promise.all(ports.map(isFree))
  return ports.filter((_, i) => !free[i])
}

/** Whether nothing listens on this port. */
export function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
    server.close(() => resolve(true)),
  )
  return promise
}

/** The first port of a block on which nothing listens. @throws Error where none is found */
export const freePortBase = (): Promise<number> =>
  findFree(portsInBlock, async (base) => (await takenPorts(base)).length === 0)

/** One port on which nothing listens. @throws Error where none is found */
export const freePort = (): Promise<number> => findFree(1, isFree)

async function findFree(size: number, areFree: (port: number) => Promise<boolean>) {
  const blocks = Math.floor((freeRange.end - freeRange.start) / size)
  for (let i = 0; i < triesMax; i++) {
    const port = freeRange.start + Math.floor(Math.random() * blocks) * size
    if (await areFree(port)) return port
  }
  throw new Error(`no ${size} free ports in a row after ${triesMax} tries`)
}
