// Which failures of PostgreSQL are the world's (try later), which are the settings' (a person must
// act), and which are a program's. Nothing here may carry the password.
import { DatabaseError } from 'pg'
import { ClickledgerError } from '#schemas/errors.ts'

const setting = 'CLICKLEDGER_POSTGRES_URL'

/**
 * SQLSTATE classes and codes of a server that cannot serve now: connection (08), resources (53),
 * operator intervention and statement time-out (57), internal I/O (58), serialisation and deadlock
 * (40), idle in transaction too long (25P03), read only after a fail-over (25006), lock time-out
 * (55P03). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const worldStates = /^(08|40|53|57|58|25P03|25006|55P03)/

/** Whether a failure says nothing about the statement, only about the server or the way to it. */
export function isWorldFault(error: unknown): boolean {
  if (error instanceof DatabaseError) return worldStates.test(error.code ?? '')
  if (error instanceof ClickledgerError) return error.code === 'unavailable'
  // What is left of Error itself comes from the socket or the client: time-outs, resets.
  return error instanceof Error && !(error instanceof RangeError) && !(error instanceof TypeError)
}

const textOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(textOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

/** The failure of a statement or a connection, as callers of the catalogue see it. */
export function faultOf(error: unknown, detail = 'PostgreSQL does not answer'): unknown {
  if (error instanceof ClickledgerError || !isWorldFault(error)) return error
  return new ClickledgerError('unavailable', `${detail} (${setting}): ${textOf(error)}`, error)
}

/** What a person must do, by SQLSTATE or system error code. */
const fixes: Readonly<Record<string, string>> = {
  '28P01': 'The password is wrong, or the user does not exist: correct them in the URL',
  '28000': 'The server does not let this user in: correct the user, or allow it in pg_hba.conf',
  '3D000': 'There is no such database: make it with CREATE DATABASE, or correct the name',
  '42501':
    'The user lacks a right: it needs CONNECT and CREATE on the database, or a schema of its own',
  '42P06': 'The schema exists and belongs to another user',
  ENOTFOUND: 'There is no such host: correct its name',
}

/** Where a URL points to, without the password. */
export function placeOf(url: string): string {
  const { username, host, pathname } = new URL(url)
  return `${username ? `${username}@` : ''}${host}${pathname}`
}

/** A failure to open, as one message that names the setting and the fix. */
export function openFaultOf(error: unknown, url: string): unknown {
  if (error instanceof ClickledgerError && error.code !== 'unavailable') return error
  const cause = error instanceof ClickledgerError ? error.cause : error
  const code = (cause as { readonly code?: unknown } | undefined)?.code
  const fix = typeof code === 'string' ? fixes[code] : undefined
  const said = `PostgreSQL at ${placeOf(url)} (${setting}): ${textOf(cause)}`
  if (fix) return new ClickledgerError('invalid-settings', `${said}. ${fix}.`, cause)
  if (!isWorldFault(error)) return error
  const help = 'Start it, or correct host and port in the URL.'
  return new ClickledgerError('unavailable', `${said}. ${help}`, cause)
}

/** @throws ClickledgerError `invalid-settings` where it is no URL of PostgreSQL */
export function checkUrl(url: string): void {
  if (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)) return
  const form = 'postgres://user:password@host:port/database'
  throw new ClickledgerError(
    'invalid-settings',
    `${setting} is not of the form ${form} (special characters percent-encoded)`,
  )
}
