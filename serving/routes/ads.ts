// Ads: their metrics for those they belong to, and their upkeep for operators.
import { Type } from 'typebox'
import type { Principal } from '#platform/api-keys.ts'
import { adRowsOf, findAd, upsertAds } from '#platform/catalogue/ads.ts'
import { type Catalogue, places, type Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { audit } from '../audit.ts'
import { everyRole, operators, principalOf, scoped, seesAdvertiser } from '../auth.ts'
import { parseReport } from '../reports/params.ts'
import { type ReportDeps, runReport } from '../reports/report.ts'
import { AdMetricsParams, answers, reportAnswers } from '../schemas.ts'
import type { Server } from '../server.ts'
import { answerReport, withFormat } from './reports.ts'

export interface AdRouteDeps extends ReportDeps {
  readonly catalogue: Catalogue
}

/** Publishers own no ads; an ad is theirs to see where one of their placements shows it. */
async function isPlaced(catalogue: Queryable, adId: string, publisherIds: readonly string[]) {
  const rows = await catalogue.query<{ ad_ids: string }>(
    `SELECT ad_ids FROM placements WHERE publisher_id IN (${places(publisherIds.length)})`,
    publisherIds,
  )
  return rows.some((row) => (JSON.parse(row.ad_ids) as string[]).includes(adId))
}

/** A foreign ad and an unknown one look alike: an id tells nobody whether it exists. */
async function mayKnowAd(catalogue: Queryable, principal: Principal, adId: string) {
  const ad = await findAd(catalogue, adId)
  if (!ad) return false
  if (!seesAdvertiser(principal, ad.advertiser_id)) return false
  return principal.publisherIds.length === 0 || isPlaced(catalogue, adId, principal.publisherIds)
}

function addMetricsRoute(app: Server, deps: AdRouteDeps): void {
  app.get(
    '/v1/ads/:ad_id/metrics',
    {
      config: { roles: everyRole, errors: ['unknown-ad'] },
      schema: {
        tags: ['reports'],
        summary: 'Clicks of one ad by time',
        params: Type.Object({ ad_id: Type.String({ maxLength: 512 }) }),
        querystring: AdMetricsParams,
        response: reportAnswers,
      },
    },
    async (request, reply) => {
      const { ad_id } = request.params
      const principal = principalOf(request)
      const query = withFormat(request.query, request)
      const asked = parseReport(query, deps.now())
      const ofAd = {
        ...asked,
        filters: [{ dimension: 'ad_id', kind: 'in', values: [ad_id] } as const, ...asked.filters],
      }
      if (!(await mayKnowAd(deps.catalogue, principal, ad_id))) {
        // Clicks of an ad that the catalogue never had (an import) still belong to someone.
        const seen = await hasClicks(deps, ofAd, principal)
        if (!seen) throw new ClickledgerError('unknown-ad')
      }
      return answerReport(deps, ofAd, query.format, request, reply)
    },
  )
}

async function hasClicks(
  deps: AdRouteDeps,
  asked: ReturnType<typeof parseReport>,
  principal: Principal,
): Promise<boolean> {
  const probe = { ...asked, granularity: 'all' as const, limit: 1 }
  const outcome = await runReport(deps, scoped(probe, principal))
  return outcome.kind === 'answer' && outcome.answer.data.length > 0
}

function addUpsertRoute(app: Server, deps: AdRouteDeps): void {
  app.post(
    '/v1/ads',
    {
      config: { roles: operators },
      schema: {
        tags: ['catalogue'],
        summary: 'Create or update ads',
        description:
          'A JSON array, or newline-delimited JSON (application/x-ndjson), of `ad_id`, `advertiser_id`, `target_url`, and optionally `campaign_id`, `name`, `advertiser_name`, `campaign_name`. Missing advertisers and campaigns are made. A bad row stops no other.',
        consumes: ['application/json', 'application/x-ndjson'],
        body: Type.Unknown(),
        response: answers(
          Type.Object({
            upserted: Type.Integer(),
            rejected: Type.Array(
              Type.Object({
                line: Type.Integer(),
                reason: Type.String(),
                detail: Type.String(),
              }),
            ),
          }),
        ),
      },
    },
    async (request) => {
      const { body } = request
      const values = Array.isArray(body) ? body : [body]
      const rows =
        typeof body === 'string'
          ? adRowsOf(body)
          : values.map((value: unknown, i) => ({ line: i + 1, value }))
      const result = await upsertAds(deps.catalogue, deps.now(), rows)
      await audit(deps.catalogue, deps.now(), principalOf(request), 'ads.upsert', '', {
        upserted: result.upserted,
        rejected: result.rejected.length,
      })
      return result
    },
  )
}

export function addAdRoutes(app: Server, deps: AdRouteDeps): void {
  const asText = { parseAs: 'string' } as const
  app.addContentTypeParser('application/x-ndjson', asText, async (_: unknown, body: string) => body)
  addMetricsRoute(app, deps)
  addUpsertRoute(app, deps)
}
