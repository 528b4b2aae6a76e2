// What `start` says when everything is up: where to look, and what to try.

import { randomUUID } from 'node:crypto'
import { buildClickUrl } from '#core/signing.ts'
import type { Settings } from '#platform/config.ts'
import { loadSecrets } from '#platform/secrets.ts'
import { describeServers } from '#platform/stack.ts'
import { demo } from './first-start.ts'

export interface WelcomeOptions {
  readonly settings: Settings
  readonly ingestUrl: string
  readonly servingUrl: string
  readonly adminKey: string | undefined
  readonly now: number
}

const dayMs = 86_400_000

/** The text that `start` prints. */
export function welcome({
  settings,
  ingestUrl,
  servingUrl,
  adminKey,
  now,
}: WelcomeOptions): string {
  const click = buildClickUrl(ingestUrl, loadSecrets(settings), {
    ad_id: demo.ad,
    publisher_id: demo.publisher,
    impression_id: randomUUID(),
    issued_at: Math.floor(now / 1000),
    expires_at: Math.floor((now + dayMs) / 1000),
  })
  const key = adminKey ?? '$CLICKLEDGER_KEY'
  const fragment = adminKey ? `/#key=${adminKey}` : '/'
  return [
    '',
    'clickledger is up: ingest, speed layer, archive, rebuild and serving, in one process.',
    '',
    `  Dashboard    ${servingUrl}${fragment}`,
    adminKey
      ? `  API key      ${adminKey}   (admin; shown on the first start only, keep it)`
      : '  API key      the one of the first start; another: npx clickledger keys create --role admin',
    `  Data         ${settings.CLICKLEDGER_DATA_DIR}`,
    ...describeServers(settings).map((server) => `  On           ${server}`),
    '',
    'Click the demo ad:',
    `  curl -i -A 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' '${click}'`,
    '',
    'See it a second later:',
    `  curl -H 'Authorization: Bearer ${key}' \\`,
    `    '${servingUrl}/v1/ads/${demo.ad}/metrics?granularity=minute'`,
    '',
    'More: npx clickledger --help, npm start -- --simulate 200, README.md. Ctrl-C stops.',
    '',
  ].join('\n')
}
