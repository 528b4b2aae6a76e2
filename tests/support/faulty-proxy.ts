// A server's bad days, on demand: a TCP proxy that hangs, cuts, loses answers or spoils bytes.
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface FaultyProxy {
  readonly port: number
  /** Bytes that clients have sent through it. */
  readonly bytesIn: number
  /** Connections accepted. */
  readonly connections: number
  /** What becomes of bytes to the server; undefined: the connection is cut. */
  toServer: (bytes: Buffer) => Buffer | undefined
  /** What becomes of bytes from the server; undefined: the connection is cut. */
  toClient: (bytes: Buffer) => Buffer | undefined
  /** While true, connections are accepted and nothing passes, in either direction. */
  isHung: boolean
  /** While true, connections are cut at once, as by a server that is down. */
  isDown: boolean
  /** While true, the server does not notice that a client has gone. */
  isQuiet: boolean
  /** Cuts what is connected now. */
  cut(): void
}

const pass = (bytes: Buffer) => bytes

/** Starts a proxy to a port of this machine; it ends with the test. */
export async function startFaultyProxy(
  t: ExecutionContext,
  targetPort: number,
): Promise<FaultyProxy> {
  const sockets = new Set<Socket>()
  let bytesIn = 0
  let connections = 0
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    connections++
    track(client)
    if (proxy.isDown) return client.destroy()
    const upstream = dial(targetPort, '127.0.0.1')
    track(upstream)
    const carry = (from: Socket, to: Socket, change: (bytes: Buffer) => Buffer | undefined) => {
      from.on('data', (bytes: Buffer) => {
        if (proxy.isHung) return
        const changed = change(bytes)
        if (!changed) proxy.isDown ? proxy.cut() : from.destroy()
        else if (to.writable && !to.write(changed)) from.pause()
      })
      to.on('drain', () => from.resume())
    }
    client.on('close', () => proxy.isQuiet || upstream.destroy())
    upstream.on('close', () => client.destroy())
    carry(client, upstream, (bytes) => {
      bytesIn += bytes.length
      return proxy.toServer(bytes)
    })
    carry(upstream, client, (bytes) => proxy.toClient(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: FaultyProxy = {
    port: (server.address() as AddressInfo).port,
    get bytesIn() {
      return bytesIn
    },
    get connections() {
      return connections
    },
    toServer: pass,
    toClient: pass,
    isHung: false,
    isDown: false,
    isQuiet: false,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
  }
  t.teardown(() => {
    proxy.cut()
    server.close()
  })
  return proxy
}
