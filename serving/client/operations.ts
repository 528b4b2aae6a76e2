// Made by `npm run docs` from /openapi.json: change the routes instead.
/** What each operation takes and answers. */
export interface Operations {
  /** Role and tenant of the key that asks */
  getMe: {
    answer: {
      role: string
      advertiser_ids: readonly string[]
      publisher_ids: readonly string[]
      name: string
      prefix: string
      [more: string]: unknown
    }
  }
  /** Clicks by time and dimensions */
  getReportsClicksTimeseries: {
    query?: {
      start_time?: string
      end_time?: string
      time_zone?: string
      completeness?: 'latest' | 'final'
      granularity?: 'minute' | 'hour' | 'day' | 'week' | 'month' | 'all'
      dimensions?: string
      filters?: string
      metrics?: string
      order?: string
      zero_fill?: boolean
      limit?: number
      cursor?: string
      compare_to?: 'previous_period'
      format?: 'json' | 'csv' | 'parquet'
    }
    answer: {
      meta: {
        start_time: string
        end_time: string
        granularity: string
        time_zone: string
        completeness: string
        boundary: string
        watermark: string | null
        degraded: boolean
        rule_set: number
        runs: readonly {
          run_id: string
          rule_set: number
          hours: number
          published_at: string
          [more: string]: unknown
        }[]
        publishing: readonly string[]
        approximate: readonly string[]
        approximate_error: {
          relative_standard_error: number
          relative_error_95: number
          [more: string]: unknown
        } | null
        previous: { start_time: string; end_time: string; [more: string]: unknown } | null
        truncated: boolean
        next: string | null
        stale?: true
        age_seconds?: number
        [more: string]: unknown
      }
      data: readonly {
        time: string
        provenance: 'final' | 'provisional' | 'open'
        [more: string]: unknown
      }[]
      [more: string]: unknown
    }
  }
  /** The values of a dimension with the most clicks */
  getReportsClicksTopN: {
    query: {
      start_time?: string
      end_time?: string
      time_zone?: string
      completeness?: 'latest' | 'final'
      dimension:
        | 'advertiser_id'
        | 'campaign_id'
        | 'ad_id'
        | 'publisher_id'
        | 'country'
        | 'region'
        | 'city'
        | 'device_type'
        | 'os'
        | 'browser'
        | 'source'
      metric?:
        | 'click_count'
        | 'gross_click_count'
        | 'duplicate_click_count'
        | 'fraudulent_click_count'
        | 'unique_user_count'
        | 'unique_ip_count'
      top_n?: number
      filters?: string
      metrics?: string
      compare_to?: 'previous_period'
      format?: 'json' | 'csv' | 'parquet'
    }
    answer: {
      meta: {
        start_time: string
        end_time: string
        granularity: string
        time_zone: string
        completeness: string
        boundary: string
        watermark: string | null
        degraded: boolean
        rule_set: number
        runs: readonly {
          run_id: string
          rule_set: number
          hours: number
          published_at: string
          [more: string]: unknown
        }[]
        publishing: readonly string[]
        approximate: readonly string[]
        approximate_error: {
          relative_standard_error: number
          relative_error_95: number
          [more: string]: unknown
        } | null
        previous: { start_time: string; end_time: string; [more: string]: unknown } | null
        truncated: boolean
        next: string | null
        stale?: true
        age_seconds?: number
        [more: string]: unknown
      }
      data: readonly {
        time: string
        provenance: 'final' | 'provisional' | 'open'
        [more: string]: unknown
      }[]
      [more: string]: unknown
    }
  }
  /** Clicks of one ad by time */
  getAdsByAdIdMetrics: {
    path: { ad_id: string }
    query?: {
      start_time?: string
      end_time?: string
      time_zone?: string
      completeness?: 'latest' | 'final'
      granularity?: 'minute' | 'hour' | 'day' | 'week' | 'month' | 'all'
      filters?: string
      metrics?: string
      compare_to?: 'previous_period'
      format?: 'json' | 'csv' | 'parquet'
    }
    answer: {
      meta: {
        start_time: string
        end_time: string
        granularity: string
        time_zone: string
        completeness: string
        boundary: string
        watermark: string | null
        degraded: boolean
        rule_set: number
        runs: readonly {
          run_id: string
          rule_set: number
          hours: number
          published_at: string
          [more: string]: unknown
        }[]
        publishing: readonly string[]
        approximate: readonly string[]
        approximate_error: {
          relative_standard_error: number
          relative_error_95: number
          [more: string]: unknown
        } | null
        previous: { start_time: string; end_time: string; [more: string]: unknown } | null
        truncated: boolean
        next: string | null
        stale?: true
        age_seconds?: number
        [more: string]: unknown
      }
      data: readonly {
        time: string
        provenance: 'final' | 'provisional' | 'open'
        [more: string]: unknown
      }[]
      [more: string]: unknown
    }
  }
  /** Create or update ads */
  postAds: {
    body: unknown
    answer: {
      upserted: number
      rejected: readonly { line: number; reason: string; detail: string; [more: string]: unknown }[]
      [more: string]: unknown
    }
  }
  /** Ads in order of their ids */
  getAds: {
    query?: {
      limit?: number
      after?: string
      archived?: boolean
      advertiser_id?: string
      campaign_id?: string
    }
    answer: {
      data: readonly {
        ad_id: string
        advertiser_id: string
        campaign_id: string | ''
        name: string
        target_url: string
        archived: boolean
        revision: number
        created_at: string
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** The receipt of one click */
  getClicksByEventId: {
    path: { event_id: string }
    query?: { at?: string; advertiser_id?: string }
    answer: Record<string, unknown>
  }
  /** Boundary, watermark and the lag of every layer */
  getFreshness: {
    answer: {
      now: string
      state: 'live' | 'behind' | 'degraded' | 'stalled' | 'starting'
      detail: string
      boundary: string
      boundary_published_at: string
      boundary_lag_seconds: number
      watermark: string | null
      lag_seconds: number | null
      wal_depth_clicks: number
      [more: string]: unknown
    }
  }
  /** Live counts by minute, as server-sent events */
  getLive: { query?: { filters?: string; minutes?: number }; answer: unknown }
  /** Layers, lags, boundary, counts by status, last runs */
  getStatus: { answer: Record<string, unknown> }
  /** Rebuild hours from the archive */
  postRebuilds: {
    body: { from?: string; to?: string; dirty?: boolean; reason?: string; rule_set?: number }
    answer: { run_id: string | null; [more: string]: unknown }
  }
  /** The last runs */
  getRebuilds: {
    answer: {
      data: readonly {
        run_id: string
        status: string
        hours: number
        hours_done: number
        hours_published: number
        [more: string]: unknown
      }[]
      [more: string]: unknown
    }
  }
  /** Progress of a run */
  getRebuildsByRunId: {
    path: { run_id: string }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      hours_published: number
      [more: string]: unknown
    }
  }
  /** Plan a backfill: rebuild published hours as a transaction */
  postBackfills: {
    body: {
      from: string
      to: string
      reason: string
      rule_set?: number
      advertiser_id?: string
      engine?: 'piscina' | 'spark'
      dry_run?: boolean
      approve?: boolean
    }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** The last backfills, rollbacks and rehearsals */
  getBackfills: {
    answer: {
      data: readonly {
        run_id: string
        status: string
        hours: number
        hours_done: number
        [more: string]: unknown
      }[]
      [more: string]: unknown
    }
  }
  /** Try a rule set on archived hours; nothing is published */
  postRehearsals: {
    body: { from: string; to: string; rules: unknown }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** Approve a run that waits for it: its numbers are published */
  postBackfillsByRunIdApprove: {
    path: { run_id: string }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** Cancel a run that has published nothing yet */
  postBackfillsByRunIdCancel: {
    path: { run_id: string }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** Go on with a run that was broken off; what is staged is not staged again */
  postBackfillsByRunIdResume: {
    path: { run_id: string }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** Take the numbers of a run back: those from before it are published again */
  postBackfillsByRunIdRollback: {
    path: { run_id: string }
    body: { reason: string }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** Plan, progress, diff and result of a run */
  getBackfillsByRunId: {
    path: { run_id: string }
    answer: {
      run_id: string
      status: string
      hours: number
      hours_done: number
      [more: string]: unknown
    }
  }
  /** Changes of final numbers: from, to and why */
  getRestatements: {
    query?: { since?: string; limit?: number; advertiser_id?: string }
    answer: { data: readonly Record<string, unknown>[]; next: string; [more: string]: unknown }
  }
  /** The boundary, its proof, and what it waits for */
  getBoundary: { answer: { boundary: string; [more: string]: unknown } }
  /** Where batch and the speed layer differ, and why */
  getReconciliation: {
    query: { from: string; to: string }
    answer: {
      meta: {
        from: string
        to: string
        hours_waiting: number
        hours_unseen: number
        is_cut: boolean
        totals: Record<string, unknown>
        [more: string]: unknown
      }
      data: readonly {
        hour: string
        run_id: string | null
        state: 'compared' | 'waiting'
        detail: string
        clicks: number
        reconciled_at: string
        differences: readonly {
          advertiser_id: string
          class: string
          clicks: number
          examples: readonly {
            event_id: string
            event_time: string
            raw_partition: number
            raw_offset: number
            batch: string
            speed: string
            [more: string]: unknown
          }[]
          [more: string]: unknown
        }[]
        [more: string]: unknown
      }[]
      [more: string]: unknown
    }
  }
  /** Records that could not be processed */
  getDeadLetters: {
    query?: { limit?: number; cursor?: string }
    answer: {
      data: readonly {
        id: string
        topic: string
        partition: number
        offset: number
        at: string
        reason: string
        bytes: string
        replayed_at: string | null
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** One record that could not be processed */
  getDeadLettersById: {
    path: { id: string }
    answer: {
      id: string
      topic: string
      partition: number
      offset: number
      at: string
      reason: string
      bytes: string
      replayed_at: string | null
      [more: string]: unknown
    }
  }
  /** Judge dead letters again */
  postDeadLettersReplay: {
    body: { ids?: readonly string[]; all?: true; cursor?: string }
    answer: {
      data: readonly {
        id: string
        state: 'replayed' | 'already-replayed' | 'not-found' | 'undecodable'
        reason?: string
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** Make an API key */
  postKeys: {
    body: {
      role: 'advertiser' | 'publisher' | 'engineer' | 'admin'
      advertiser_id?: string
      advertiser_ids?: readonly string[]
      publisher_id?: string
      publisher_ids?: readonly string[]
      name?: string
      expires_at?: string
    }
    answer: {
      key: string
      key_id: string
      prefix: string
      role: string
      advertiser_id?: string
      advertiser_ids?: readonly string[]
      publisher_id?: string
      publisher_ids?: readonly string[]
      name?: string
      expires_at?: string
      [more: string]: unknown
    }
  }
  /** API keys, without the keys */
  getKeys: {
    query?: { limit?: number; after?: string; ended?: boolean }
    answer: {
      data: readonly {
        key_id: string
        prefix: string
        role: string
        advertiser_ids: readonly string[]
        publisher_ids: readonly string[]
        name: string
        created_at: string
        expires_at: string | null
        revoked_at: string | null
        last_used_at: string | null
        replaced_by: string | null
        state: 'active' | 'expired' | 'revoked'
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** Replace an API key; the old one stays good for a while */
  postKeysByKeyIdRotate: {
    path: { key_id: string }
    body: { grace_seconds?: number }
    answer: {
      key: string
      made: {
        key_id: string
        prefix: string
        role: string
        advertiser_ids: readonly string[]
        publisher_ids: readonly string[]
        name: string
        created_at: string
        expires_at: string | null
        revoked_at: string | null
        last_used_at: string | null
        replaced_by: string | null
        state: 'active' | 'expired' | 'revoked'
        [more: string]: unknown
      }
      old: {
        key_id: string
        prefix: string
        role: string
        advertiser_ids: readonly string[]
        publisher_ids: readonly string[]
        name: string
        created_at: string
        expires_at: string | null
        revoked_at: string | null
        last_used_at: string | null
        replaced_by: string | null
        state: 'active' | 'expired' | 'revoked'
        [more: string]: unknown
      }
      [more: string]: unknown
    }
  }
  /** Revoke an API key */
  deleteKeysByKeyId: {
    path: { key_id: string }
    answer: {
      key_id: string
      prefix: string
      role: string
      advertiser_ids: readonly string[]
      publisher_ids: readonly string[]
      name: string
      created_at: string
      expires_at: string | null
      revoked_at: string | null
      last_used_at: string | null
      replaced_by: string | null
      state: 'active' | 'expired' | 'revoked'
      [more: string]: unknown
    }
  }
  /** The rule set in force */
  getRules: {
    answer: { version: number; rules: readonly Record<string, unknown>[]; [more: string]: unknown }
  }
  /** Put the next rule set in force */
  postRules: {
    body: unknown
    answer: { version: number; rules: readonly Record<string, unknown>[]; [more: string]: unknown }
  }
  /** Create or update an advertiser */
  postAdvertisers: {
    body: { advertiser_id: string; name?: string; signed_only?: boolean }
    answer: Record<string, unknown>
  }
  /** Advertisers in order of their ids */
  getAdvertisers: {
    query?: { limit?: number; after?: string; archived?: boolean }
    answer: {
      data: readonly {
        advertiser_id: string
        name: string
        signed_only: boolean
        archived: boolean
        revision: number
        created_at: string
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** Create or rename a publisher */
  postPublishers: { body: { publisher_id: string; name?: string }; answer: Record<string, unknown> }
  /** Publishers in order of their ids */
  getPublishers: {
    query?: { limit?: number; after?: string; archived?: boolean }
    answer: {
      data: readonly {
        publisher_id: string
        name: string
        archived: boolean
        revision: number
        created_at: string
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** Create or change a placement */
  postPlacements: {
    body: { slot: string; publisher_id: string; ad_ids: readonly string[] }
    answer: Record<string, unknown>
  }
  /** Placements in order of their ids */
  getPlacements: {
    query?: { limit?: number; after?: string; archived?: boolean; publisher_id?: string }
    answer: {
      data: readonly {
        slot: string
        publisher_id: string
        ad_ids: readonly string[]
        archived: boolean
        revision: number
        created_at: string
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** One advertiser, with its revision as etag */
  getAdvertisersByAdvertiserId: {
    path: { advertiser_id: string }
    answer: {
      advertiser_id: string
      name: string
      signed_only: boolean
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Create or replace one advertiser */
  putAdvertisersByAdvertiserId: {
    path: { advertiser_id: string }
    body: {
      name?: string
      signed_only?: boolean
      archived?: boolean
      advertiser_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      advertiser_id: string
      name: string
      signed_only: boolean
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Change some fields of one advertiser */
  patchAdvertisersByAdvertiserId: {
    path: { advertiser_id: string }
    body: {
      name?: string
      signed_only?: boolean
      archived?: boolean
      advertiser_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      advertiser_id: string
      name: string
      signed_only: boolean
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Archive one advertiser */
  deleteAdvertisersByAdvertiserId: {
    path: { advertiser_id: string }
    answer: {
      advertiser_id: string
      name: string
      signed_only: boolean
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Campaigns in order of their ids */
  getCampaigns: {
    query?: { limit?: number; after?: string; archived?: boolean; advertiser_id?: string }
    answer: {
      data: readonly {
        campaign_id: string
        advertiser_id: string
        name: string
        archived: boolean
        revision: number
        created_at: string
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
  /** One campaign, with its revision as etag */
  getCampaignsByCampaignId: {
    path: { campaign_id: string }
    answer: {
      campaign_id: string
      advertiser_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Create or replace one campaign */
  putCampaignsByCampaignId: {
    path: { campaign_id: string }
    body: {
      advertiser_id: string
      name?: string
      archived?: boolean
      campaign_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      campaign_id: string
      advertiser_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Change some fields of one campaign */
  patchCampaignsByCampaignId: {
    path: { campaign_id: string }
    body: {
      advertiser_id?: string
      name?: string
      archived?: boolean
      campaign_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      campaign_id: string
      advertiser_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Archive one campaign */
  deleteCampaignsByCampaignId: {
    path: { campaign_id: string }
    answer: {
      campaign_id: string
      advertiser_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** One ad, with its revision as etag */
  getAdsByAdId: {
    path: { ad_id: string }
    answer: {
      ad_id: string
      advertiser_id: string
      campaign_id: string | ''
      name: string
      target_url: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Create or replace one ad */
  putAdsByAdId: {
    path: { ad_id: string }
    body: {
      advertiser_id: string
      campaign_id?: string | ''
      name?: string
      target_url: string
      archived?: boolean
      ad_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      ad_id: string
      advertiser_id: string
      campaign_id: string | ''
      name: string
      target_url: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Change some fields of one ad */
  patchAdsByAdId: {
    path: { ad_id: string }
    body: {
      advertiser_id?: string
      campaign_id?: string | ''
      name?: string
      target_url?: string
      archived?: boolean
      ad_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      ad_id: string
      advertiser_id: string
      campaign_id: string | ''
      name: string
      target_url: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Archive one ad */
  deleteAdsByAdId: {
    path: { ad_id: string }
    answer: {
      ad_id: string
      advertiser_id: string
      campaign_id: string | ''
      name: string
      target_url: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** One publisher, with its revision as etag */
  getPublishersByPublisherId: {
    path: { publisher_id: string }
    answer: {
      publisher_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Create or replace one publisher */
  putPublishersByPublisherId: {
    path: { publisher_id: string }
    body: {
      name?: string
      archived?: boolean
      publisher_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      publisher_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Change some fields of one publisher */
  patchPublishersByPublisherId: {
    path: { publisher_id: string }
    body: {
      name?: string
      archived?: boolean
      publisher_id?: string
      revision?: number
      created_at?: string
    }
    answer: {
      publisher_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Archive one publisher */
  deletePublishersByPublisherId: {
    path: { publisher_id: string }
    answer: {
      publisher_id: string
      name: string
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** One placement, with its revision as etag */
  getPlacementsBySlot: {
    path: { slot: string }
    answer: {
      slot: string
      publisher_id: string
      ad_ids: readonly string[]
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Create or replace one placement */
  putPlacementsBySlot: {
    path: { slot: string }
    body: {
      publisher_id: string
      ad_ids: readonly string[]
      archived?: boolean
      slot?: string
      revision?: number
      created_at?: string
    }
    answer: {
      slot: string
      publisher_id: string
      ad_ids: readonly string[]
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Change some fields of one placement */
  patchPlacementsBySlot: {
    path: { slot: string }
    body: {
      publisher_id?: string
      ad_ids?: readonly string[]
      archived?: boolean
      slot?: string
      revision?: number
      created_at?: string
    }
    answer: {
      slot: string
      publisher_id: string
      ad_ids: readonly string[]
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Archive one placement */
  deletePlacementsBySlot: {
    path: { slot: string }
    answer: {
      slot: string
      publisher_id: string
      ad_ids: readonly string[]
      archived: boolean
      revision: number
      created_at: string
      [more: string]: unknown
    }
  }
  /** Create or update many ads, streamed */
  postAdsBulk: {
    answer: {
      lines: number
      upserted: number
      rejected: number
      faults: readonly { line: number; reason: string; detail: string; [more: string]: unknown }[]
      [more: string]: unknown
    }
  }
  /** The audit log: administrative acts and exports of data */
  getAudit: {
    query?: {
      since?: string
      until?: string
      actor?: string
      action?: string
      subject?: string
      limit?: number
      cursor?: string
    }
    answer: {
      data: readonly {
        at: string
        actor: string
        action: string
        subject: string
        detail: Record<string, unknown>
        [more: string]: unknown
      }[]
      next: string | null
      [more: string]: unknown
    }
  }
}

/** Method and path of each. */
export const operations: Readonly<
  Record<keyof Operations, readonly [method: string, path: string]>
> = {
  getMe: ['GET', '/v1/me'],
  getReportsClicksTimeseries: ['GET', '/v1/reports/clicks/timeseries'],
  getReportsClicksTopN: ['GET', '/v1/reports/clicks/topN'],
  getAdsByAdIdMetrics: ['GET', '/v1/ads/{ad_id}/metrics'],
  postAds: ['POST', '/v1/ads'],
  getAds: ['GET', '/v1/ads'],
  getClicksByEventId: ['GET', '/v1/clicks/{event_id}'],
  getFreshness: ['GET', '/v1/freshness'],
  getLive: ['GET', '/v1/live'],
  getStatus: ['GET', '/v1/status'],
  postRebuilds: ['POST', '/v1/rebuilds'],
  getRebuilds: ['GET', '/v1/rebuilds'],
  getRebuildsByRunId: ['GET', '/v1/rebuilds/{run_id}'],
  postBackfills: ['POST', '/v1/backfills'],
  getBackfills: ['GET', '/v1/backfills'],
  postRehearsals: ['POST', '/v1/rehearsals'],
  postBackfillsByRunIdApprove: ['POST', '/v1/backfills/{run_id}/approve'],
  postBackfillsByRunIdCancel: ['POST', '/v1/backfills/{run_id}/cancel'],
  postBackfillsByRunIdResume: ['POST', '/v1/backfills/{run_id}/resume'],
  postBackfillsByRunIdRollback: ['POST', '/v1/backfills/{run_id}/rollback'],
  getBackfillsByRunId: ['GET', '/v1/backfills/{run_id}'],
  getRestatements: ['GET', '/v1/restatements'],
  getBoundary: ['GET', '/v1/boundary'],
  getReconciliation: ['GET', '/v1/reconciliation'],
  getDeadLetters: ['GET', '/v1/dead-letters'],
  getDeadLettersById: ['GET', '/v1/dead-letters/{id}'],
  postDeadLettersReplay: ['POST', '/v1/dead-letters/replay'],
  postKeys: ['POST', '/v1/keys'],
  getKeys: ['GET', '/v1/keys'],
  postKeysByKeyIdRotate: ['POST', '/v1/keys/{key_id}/rotate'],
  deleteKeysByKeyId: ['DELETE', '/v1/keys/{key_id}'],
  getRules: ['GET', '/v1/rules'],
  postRules: ['POST', '/v1/rules'],
  postAdvertisers: ['POST', '/v1/advertisers'],
  getAdvertisers: ['GET', '/v1/advertisers'],
  postPublishers: ['POST', '/v1/publishers'],
  getPublishers: ['GET', '/v1/publishers'],
  postPlacements: ['POST', '/v1/placements'],
  getPlacements: ['GET', '/v1/placements'],
  getAdvertisersByAdvertiserId: ['GET', '/v1/advertisers/{advertiser_id}'],
  putAdvertisersByAdvertiserId: ['PUT', '/v1/advertisers/{advertiser_id}'],
  patchAdvertisersByAdvertiserId: ['PATCH', '/v1/advertisers/{advertiser_id}'],
  deleteAdvertisersByAdvertiserId: ['DELETE', '/v1/advertisers/{advertiser_id}'],
  getCampaigns: ['GET', '/v1/campaigns'],
  getCampaignsByCampaignId: ['GET', '/v1/campaigns/{campaign_id}'],
  putCampaignsByCampaignId: ['PUT', '/v1/campaigns/{campaign_id}'],
  patchCampaignsByCampaignId: ['PATCH', '/v1/campaigns/{campaign_id}'],
  deleteCampaignsByCampaignId: ['DELETE', '/v1/campaigns/{campaign_id}'],
  getAdsByAdId: ['GET', '/v1/ads/{ad_id}'],
  putAdsByAdId: ['PUT', '/v1/ads/{ad_id}'],
  patchAdsByAdId: ['PATCH', '/v1/ads/{ad_id}'],
  deleteAdsByAdId: ['DELETE', '/v1/ads/{ad_id}'],
  getPublishersByPublisherId: ['GET', '/v1/publishers/{publisher_id}'],
  putPublishersByPublisherId: ['PUT', '/v1/publishers/{publisher_id}'],
  patchPublishersByPublisherId: ['PATCH', '/v1/publishers/{publisher_id}'],
  deletePublishersByPublisherId: ['DELETE', '/v1/publishers/{publisher_id}'],
  getPlacementsBySlot: ['GET', '/v1/placements/{slot}'],
  putPlacementsBySlot: ['PUT', '/v1/placements/{slot}'],
  patchPlacementsBySlot: ['PATCH', '/v1/placements/{slot}'],
  deletePlacementsBySlot: ['DELETE', '/v1/placements/{slot}'],
  postAdsBulk: ['POST', '/v1/ads:bulk'],
  getAudit: ['GET', '/v1/audit'],
}
