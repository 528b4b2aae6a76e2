// Paths that do not exist, and paths that exist with another method only.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './problems.ts'

/** Answers 404, or 405 with `allow` where the path has other methods. Before any route is added. */
export function answerMethodNotAllowed(app: FastifyInstance): void {
  const routes: { pattern: RegExp; methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return
    const parts = url.split('/').map((part) => {
      if (/^:[^:]/.test(part)) return '[^/]+'
      return RegExp.escape(part.replaceAll('::', ':')) // fastify's way to write a colon
    })
    routes.push({
      pattern: new RegExp(`^${parts.join('/')}$`),
      methods: [method].flat(),
    })
  })
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allowed = routes.filter(({ pattern }) => pattern.test(path)).flatMap((r) => r.methods)
    if (allowed.length === 0 || allowed.includes(request.method)) {
      sendProblem(reply, 'not-found')
      return
    }
    reply.header('allow', [...new Set(allowed)].join(', '))
    sendProblem(reply, 'method-not-allowed')
  }
  app.setNotFoundHandler(answer)
  // Before a body is read, or missed: some methods have rules about theirs.
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    answer(request, reply)
    return reply
  })
}
