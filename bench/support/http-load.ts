// Load on an HTTP server, from a thread of its own: keep-alive connections on plain sockets, one
// request at a time on each. Written by hand so that the client is not what is measured: an answer
// is recognised by the end of its headers and must have no body (a 302).
import { connect, type Socket } from 'node:net'
import { parentPort, Worker, workerData } from 'node:worker_threads'

export interface LoadSpec {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  /** Requests a second, sent on schedule whatever the answers do; 0: as fast as answers come. */
  readonly rate: number
}

export interface LoadResult {
  readonly answers: number
  /** Answers that name a click (`x-click-id`): it was accepted. */
  readonly accepted: number
  /** Answers with another status than 302. */
  readonly others: number
  readonly milliseconds: number
  /** Latencies in milliseconds; on a schedule, from the time a request was due. */
  readonly latencies: Float64Array
}

/** Runs one load in a thread and waits for its result. */
export async function runLoad(spec: LoadSpec): Promise<LoadResult> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { load: spec } })
  try {
    return await new Promise<LoadResult>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  } finally {
    await worker.terminate()
  }
}

/** Ads that the requests are for: `ad-0` ..; the server under test must know them. */
export const loadAds = 50

const requestsMade = 8_192
const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0',
]

/** Requests as browsers send them, from 4,096 addresses. */
function makeRequests(): Buffer[] {
  return Array.from({ length: requestsMade }, (_, i) => {
    const address = `81.${2 + ((i >> 8) & 15)}.69.${i & 255}`
    return Buffer.from(
      `GET /click/ad-${i % loadAds}?publisher_id=pub-${i % 20}&impression_id=imp-${i} HTTP/1.1\r\n` +
        `Host: ingest.example\r\nUser-Agent: ${agents[i % agents.length]}\r\n` +
        `Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.9\r\n` +
        `Referer: https://publisher-${i % 20}.example/article\r\nX-Forwarded-For: ${address}\r\n\r\n`,
    )
  })
}

interface Connection {
  readonly socket: Socket
  /** When the request under way was due; 0: none is. */
  due: number
  received: string
}

async function load(spec: LoadSpec): Promise<LoadResult> {
  const { port, connections, seconds, rate } = spec
  const requests = makeRequests()
  const latencies: number[] = []
  const idle: Connection[] = []
  let sent = 0
  let accepted = 0
  let others = 0
  let isOver = false
  const finished = Promise.withResolvers<void>()

  const send = (connection: Connection, due: number) => {
    connection.due = due
    connection.socket.write(requests[sent++ % requestsMade] as Buffer)
  }
  const answered = (connection: Connection) => {
    const now = performance.now()
    latencies.push(now - connection.due)
    if (connection.received.includes('\r\nx-click-id: ')) accepted++
    if (!connection.received.startsWith('HTTP/1.1 302 ')) others++
    connection.received = ''
    connection.due = 0
    if (isOver) {
      if (latencies.length === sent) finished.resolve()
    } else if (rate === 0) send(connection, now)
    else idle.push(connection)
  }
  const open = async (): Promise<Connection> => {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    const connection: Connection = { socket, due: 0, received: '' }
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    socket.on('error', finished.reject)
    socket.on('data', (data) => {
      connection.received += data.toString('latin1')
      if (connection.received.endsWith('\r\n\r\n')) answered(connection)
    })
    return connection
  }

  const all = await Promise.all(Array.from({ length: connections }, open))
  const start = performance.now()
  const end = start + seconds * 1000
  if (rate === 0) for (const connection of all) send(connection, start)
  else idle.push(...all)
  let due = start
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    // What is due while every connection is busy is sent when one is free; its wait counts.
    while (rate > 0 && due <= performance.now()) {
      const connection = idle.pop()
      if (!connection) break
      send(connection, due)
      due += 1000 / rate
    }
  }
  isOver = true
  const milliseconds = performance.now() - start
  const answers = latencies.length
  if (answers < sent) await finished.promise
  for (const { socket } of all) socket.destroy()
  return { answers, accepted, others, milliseconds, latencies: Float64Array.from(latencies) }
}

const given = workerData as { load?: LoadSpec } | null
if (given?.load) parentPort?.postMessage(await load(given.load))
