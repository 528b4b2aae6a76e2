// The dashboard: static files, and the chart library's, out of node_modules. The page holds no data;
// it asks the API with the reader's key.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import fastifyStatic from '@fastify/static'
import type { Server } from '../server.ts'

const dashboardDir = fileURLToPath(new URL('../dashboard/', import.meta.url))
const compressible = /^(text\/|application\/javascript|image\/svg)/

function chartLibraryDir(): string {
  const resolve = createRequire(import.meta.url).resolve
  return join(dirname(resolve('uplot/package.json')), 'dist')
}

/** Text goes out compressed, a third of its size; API answers do not: numbers follow each other fast there. */
function compressText(app: Pick<Server, 'addHook'>): void {
  app.addHook('onSend', async (request, reply, payload) => {
    reply.header('vary', 'accept-encoding')
    const isText = compressible.test(String(reply.getHeader('content-type')))
    const asked = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    if (!isText || !asked || reply.statusCode !== 200 || !(payload instanceof Readable)) {
      return payload
    }
    reply.header('content-encoding', 'gzip').removeHeader('content-length')
    // pipeline, not pipe: a reader who goes away must not leave the file open.
    return pipeline(payload, createGzip(), () => {})
  })
}

export async function addDashboard(app: Server): Promise<void> {
  const shared = {
    cacheControl: true,
    maxAge: 0,
    dotfiles: 'ignore' as const,
    index: ['index.html'],
  }
  await app.register(async (files) => {
    compressText(files)
    await files.register(fastifyStatic, { ...shared, root: dashboardDir, prefix: '/' })
    await files.register(fastifyStatic, {
      ...shared,
      root: chartLibraryDir(),
      prefix: '/vendor/',
      decorateReply: false,
    })
  })
}
