// Signatures of webhooks: `t=<seconds>,v1=<hex>`, an HMAC-SHA256 over time and body. The time is signed,
// so that a message that was overheard is worth nothing later.
import { createHmac, timingSafeEqual } from 'node:crypto'

const toleranceSeconds = 300

const macOf = (secret: string, seconds: number | string, body: string) =>
  createHmac('sha256', secret).update(`${seconds}.${body}`).digest()

/** The value of the header `clickledger-signature`. @param now - ms */
export function signWebhook(secret: string, body: string, now: number): string {
  const seconds = Math.floor(now / 1000)
  return `t=${seconds},v1=${macOf(secret, seconds, body).toString('hex')}`
}

/** Whether a message is from whoever has the secret, and not older than five minutes. @param now - ms */
export function verifyWebhook(secret: string, body: string, header: string, now: number): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header)
  const [, seconds = '', given = ''] = match ?? []
  if (!match || Math.abs(now / 1000 - Number(seconds)) > toleranceSeconds) return false
  return timingSafeEqual(Buffer.from(given, 'hex'), macOf(secret, seconds, body))
}
