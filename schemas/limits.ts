// Limits of what comes in, each named once.

export const limits = {
  /** Bytes of a request URL. */
  urlBytesMax: 8_192,
  /** Bytes of a POST body. */
  bodyBytesMax: 2 * 1024 * 1024,
  /** Clicks in one POST. */
  batchClicksMax: 1_000,
  /** Ads of one POST /v1/ads:bulk, and its bytes: larger files come in several requests. */
  bulkLinesMax: 50_000,
  bulkBytesMax: 128 * 1024 * 1024,
  /** Characters of an id: ad, campaign, publisher, impression, user. */
  idCharsMax: 128,
  userAgentCharsMax: 512,
  referrerCharsMax: 1_024,
  additionalParamsMax: 32,
  additionalParamCharsMax: 256,
  targetUrlCharsMax: 2_048,
  /** Rows of one report answer. */
  reportRowsMax: 50_000,
  /** Days of a report: ten years. */
  reportDaysMax: 3_660,
  /** Numbers and texts of one report answer: rows times columns. */
  reportCellsMax: 600_000,
  topNMax: 1_000,
  /** Rows of a CSV or Parquet export. */
  exportRowsMax: 5_000_000,
  /** Characters of a cursor: it holds the last row's dimensions. */
  cursorCharsMax: 4_096,
  reportFiltersMax: 20,
  reportFilterValuesMax: 200,
  /** Bytes of a SQL statement. */
  sqlBytesMax: 64 * 1024,
  /** Brackets, CASE and NOT of a statement: what can be nested. */
  sqlBracketsMax: 1_000,
  /** Levels of nesting, and parts of a statement in all. */
  sqlDepthMax: 50,
  sqlPartsMax: 20_000,
  /** Tables that a statement reads, those behind each mention of a WITH included. */
  sqlTablesMax: 32,
  sqlParametersMax: 1_000,
  /** Rows of the answer to a statement. */
  sqlRowsMax: 100_000,
  sqlPatternCharsMax: 200,
} as const

/** A click's own time may be this far from the server's clock: [-7 days, +5 minutes]. */
export const admission = { pastMs: 7 * 86_400_000, futureMs: 5 * 60_000 } as const

/** An id that may stand in URLs, paths and file names. */
export const idPattern = /^[A-Za-z0-9._:@-]+$/
