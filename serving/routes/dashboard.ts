// The dashboard: static files, and the chart library's, out of node_modules. The page holds no data;
// it asks the API with the reader's key.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { Server } from '../server.ts'

const dashboardDir = fileURLToPath(new URL('../dashboard/', import.meta.url))

function chartLibraryDir(): string {
  const resolve = createRequire(import.meta.url).resolve
  return join(dirname(resolve('uplot/package.json')), 'dist')
}

export async function addDashboard(app: Server): Promise<void> {
  const shared = {
    cacheControl: true,
    maxAge: 0,
    dotfiles: 'ignore' as const,
    index: ['index.html'],
  }
  await app.register(fastifyStatic, { ...shared, root: dashboardDir, prefix: '/' })
  await app.register(fastifyStatic, {
    ...shared,
    root: chartLibraryDir(),
    prefix: '/vendor/',
    decorateReply: false,
  })
}
