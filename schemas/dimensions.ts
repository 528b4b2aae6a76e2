// What a report can be grouped and filtered by. One entry here is enough to add a dimension: the
// wire format, the Parquet columns, the OLAP views, the API and its documentation follow from it.

export interface Dimension {
  readonly name: string
  readonly doc: string
  /** Filled from the click's `additional_params` entry of this name, where ingest has no rule of its own. */
  readonly fromParam?: true
}

const builtIn = [
  { name: 'advertiser_id', doc: 'Who pays for the click: the owner of the ad.' },
  { name: 'campaign_id', doc: 'The campaign the ad belongs to.' },
  { name: 'ad_id', doc: 'The ad that was clicked.' },
  { name: 'publisher_id', doc: 'Who showed the ad.' },
  { name: 'country', doc: 'ISO 3166-1 alpha-2 code, from the IP address.' },
  { name: 'region', doc: 'First subdivision, where the geography database has it.' },
  { name: 'city', doc: 'City name, where the geography database has it.' },
  { name: 'device_type', doc: 'desktop, mobile, tablet, tv or bot.' },
  { name: 'os', doc: 'Operating system family.' },
  { name: 'browser', doc: 'Browser family.' },
  { name: 'source', doc: 'How the click came in: redirect, pixel, api or import.' },
] as const satisfies readonly Dimension[]

/** Dimensions of this installation. Add `{ name, doc, fromParam: true }` here and publish a new schema version. */
const custom = [] as const satisfies readonly Dimension[]

export const dimensions = [...builtIn, ...custom] as const

export type DimensionName = (typeof dimensions)[number]['name']

export const dimensionNames: readonly DimensionName[] = dimensions.map((d) => d.name)

export function isDimension(name: string): name is DimensionName {
  return (dimensionNames as readonly string[]).includes(name)
}
