// Keys, tokens and the catalogue as users meet them: the program in a process of its own, at the log
// level that says most, administered by the command line. Run over each catalogue.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext, TestFn } from 'ava'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { readSettings } from '#platform/config.ts'
import { openCatalogue } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { temporaryFile } from '../../cli/testing/files.ts'
import { runCli } from '../../cli/testing/run-cli.ts'
import { askServing, ingestUrlOf, servingUrlOf, startProgram } from '../support/processes.ts'

export interface AccessStack {
  readonly name: string
  env(t: ExecutionContext): Readonly<Record<string, string>>
}

const issuer = 'https://id.test/'
const adminKey = 'admin-key-of-this-test-0123456789'
const adsMade = 25_000

async function openProvider(t: ExecutionContext) {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', use: 'sig', alg: 'RS256' }]
  const server = createServer((_, response) => response.end(JSON.stringify({ keys })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const sign = (audience: string) =>
    new SignJWT({ role: 'advertiser', advertiser_id: 'acme' })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject('ann')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, sign }
}

const lines = Array.from({ length: adsMade }, (_, i) =>
  JSON.stringify({ ad_id: `ad-${i}`, advertiser_id: 'acme', target_url: `https://a.example/${i}` }),
)

export function testAccess(test: TestFn, { name, env }: AccessStack): void {
  test(`${name}: keys and tokens from the first to the last day, and nothing of them in the log`, async (t) => {
    const provider = await openProvider(t)
    const settings = {
      ...env(t),
      CLICKLEDGER_ADMIN_KEY: adminKey,
      CLICKLEDGER_LOG_LEVEL: 'debug',
      CLICKLEDGER_JWT_JWKS_URL: provider.url,
      CLICKLEDGER_JWT_ISSUER: issuer,
      CLICKLEDGER_JWT_AUDIENCE: 'clickledger',
    }
    const program = startProgram(t, 'start', settings)
    const serving = await servingUrlOf(program)
    const ingest = await ingestUrlOf(program)
    const cli = async (...args: string[]) => {
      const env = { CLICKLEDGER_URL: serving, CLICKLEDGER_KEY: adminKey }
      const { code, stdout, stderr } = await runCli(t, args, env)
      if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
      return stdout.trim()
    }
    const statusOf = async (key: string) =>
      (await fetch(`${serving}/v1/ads`, { headers: { authorization: `Bearer ${key}` } })).status

    const file = temporaryFile(t, 'ads.jsonl', lines.join('\n'))
    t.like(JSON.parse(await cli('ads', 'import', file)), { upserted: adsMade, rejected: 0 })
    t.like(JSON.parse(await cli('ads', 'import', file)), { upserted: adsMade, rejected: 0 })
    const one = await askServing<{ revision: number }>(serving, adminKey, '/v1/ads/ad-777')
    t.is(one.revision, 1, 'the second import changed nothing')

    const token = await provider.sign('clickledger')
    t.is(await statusOf(token), 200)
    t.is(await statusOf(await provider.sign('another')), 401)

    const made = JSON.parse(
      await cli('keys', 'create', '--role', 'advertiser', '--advertiser', 'acme', '--json'),
    ) as { key: string; key_id: string }
    t.is(await statusOf(made.key), 200)
    const rotated = await cli('keys', 'rotate', made.key_id, '--grace', '1h')
    t.is(await statusOf(rotated), 200)
    t.is(await statusOf(made.key), 200)
    const publisher = await cli('keys', 'create', '--role', 'engineer', '--name', 'ingest')
    const click = { method: 'POST', body: JSON.stringify({ ad_id: 'ad-1' }) }
    const headers = { authorization: `Bearer ${publisher}`, 'content-type': 'application/json' }
    t.is((await fetch(`${ingest}/track/click_event`, { ...click, headers })).status, 200)
    await cli('keys', 'revoke', made.key_id)
    t.is(await statusOf(made.key), 401)
    const listed = await cli('keys', 'list')
    t.false(listed.includes(made.key_id))
    const refused = async () => {
      const answer = await fetch(`${ingest}/track/click_event`, {
        ...click,
        headers: { ...headers, authorization: `Bearer ${made.key}` },
      })
      return answer.status === 401
    }
    await until(refused, { everyMs: 200, what: 'ingest refuses it, too' })
    t.regex(await cli('audit', '--action', 'keys.'), /keys\.revoke/)

    t.is((await program.end('SIGTERM')).code, 0)
    for (const secret of [adminKey, made.key, rotated, publisher, token]) {
      t.false(program.stderr.includes(secret), 'a secret in the log')
    }
    const catalogue = await openCatalogue(readSettings(settings))
    t.teardown(() => catalogue.close())
    const used = await catalogue.query<{ name: string }>(
      'SELECT name FROM api_keys WHERE last_used_at IS NOT NULL',
    )
    t.true(
      used.some((key) => key.name === 'ingest'),
      'ingest writes what it was used with',
    )
    t.true(used.length >= 4)
  })
}
