// Tables of the catalogue, as numbered migrations in the SQL that SQLite and PostgreSQL share.
// A migration that has been released is never changed; add the next one.

/** What only one of the databases understands, said to each in its own words. */
export interface PerDatabase {
  readonly sqlite: readonly string[]
  readonly postgres: readonly string[]
}

export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: readonly (string | PerDatabase)[]
}

const catalogued = ['advertisers', 'campaigns', 'ads', 'publishers', 'placements'] as const
const appendOnly = 'the audit log is append-only'

export const migrations: readonly Migration[] = [
  {
    id: 1,
    name: 'tables',
    statements: [
      `CREATE TABLE advertisers (
        advertiser_id TEXT PRIMARY KEY, name TEXT NOT NULL,
        signed_only INTEGER NOT NULL DEFAULT 0, created_at BIGINT NOT NULL)`,
      `CREATE TABLE campaigns (
        campaign_id TEXT PRIMARY KEY, advertiser_id TEXT NOT NULL REFERENCES advertisers (advertiser_id),
        name TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE ads (
        ad_id TEXT PRIMARY KEY, advertiser_id TEXT NOT NULL REFERENCES advertisers (advertiser_id),
        campaign_id TEXT NOT NULL DEFAULT '', name TEXT NOT NULL DEFAULT '', target_url TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)`,
      'CREATE INDEX ads_by_advertiser ON ads (advertiser_id)',
      `CREATE TABLE publishers (
        publisher_id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE placements (
        slot TEXT PRIMARY KEY, publisher_id TEXT NOT NULL REFERENCES publishers (publisher_id),
        ad_ids TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE api_keys (
        key_hash TEXT PRIMARY KEY, prefix TEXT NOT NULL, role TEXT NOT NULL,
        advertiser_id TEXT NOT NULL DEFAULT '', publisher_id TEXT NOT NULL DEFAULT '',
        name TEXT NOT NULL DEFAULT '', created_at BIGINT NOT NULL, expires_at BIGINT,
        revoked_at BIGINT)`,
      `CREATE TABLE rule_sets (
        version INTEGER PRIMARY KEY, body TEXT NOT NULL, created_at BIGINT NOT NULL,
        created_by TEXT NOT NULL)`,
      `CREATE TABLE runs (
        run_id TEXT PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
        rule_set INTEGER NOT NULL, started_at BIGINT NOT NULL, finished_at BIGINT,
        plan TEXT NOT NULL, result TEXT NOT NULL DEFAULT '')`,
      `CREATE TABLE run_hours (
        run_id TEXT NOT NULL REFERENCES runs (run_id), hour BIGINT NOT NULL,
        rule_set INTEGER NOT NULL, archive_version BIGINT NOT NULL, files TEXT NOT NULL,
        valid BIGINT NOT NULL, duplicate BIGINT NOT NULL,
        invalid BIGINT NOT NULL, copies BIGINT NOT NULL, PRIMARY KEY (run_id, hour))`,
      `CREATE TABLE boundaries (
        boundary_id INTEGER PRIMARY KEY, boundary BIGINT NOT NULL, published_at BIGINT NOT NULL,
        published_by TEXT NOT NULL, reason TEXT NOT NULL, run_id TEXT NOT NULL DEFAULT '',
        proof TEXT NOT NULL)`,
      `CREATE TABLE audit_log (
        audit_id TEXT PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
        subject TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '')`,
      `CREATE TABLE archive_manifests (
        partition_id INTEGER NOT NULL, first_offset BIGINT NOT NULL, end_offset BIGINT NOT NULL,
        PRIMARY KEY (partition_id, first_offset))`,
      // version: of the archive as a whole, raised by each manifest. Files are only ever added, so
      // "built from version v" says exactly from which files.
      'CREATE TABLE archive_version (id INTEGER PRIMARY KEY, version BIGINT NOT NULL)',
      'INSERT INTO archive_version (id, version) VALUES (1, 0)',
      `CREATE TABLE archive_files (
        path TEXT PRIMARY KEY, hour BIGINT NOT NULL, partition_id INTEGER NOT NULL,
        clicks BIGINT NOT NULL, bytes BIGINT NOT NULL, version BIGINT NOT NULL)`,
      'CREATE INDEX archive_files_by_hour ON archive_files (hour)',
      `CREATE TABLE archive_hours (
        hour BIGINT PRIMARY KEY, clicks BIGINT NOT NULL, version BIGINT NOT NULL)`,
      `CREATE TABLE published_hours (
        hour BIGINT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (run_id),
        rule_set INTEGER NOT NULL, archive_version BIGINT NOT NULL, published_at BIGINT NOT NULL)`,
      `CREATE TABLE archive_requests (
        partition_id INTEGER PRIMARY KEY, until_offset BIGINT NOT NULL, requested_at BIGINT NOT NULL)`,
      `CREATE TABLE heartbeats (
        layer TEXT NOT NULL, node TEXT NOT NULL, reported_at BIGINT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (layer, node))`,
    ],
  },
  {
    id: 2,
    name: 'backfills',
    statements: [
      "ALTER TABLE runs ADD COLUMN created_by TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE runs ADD COLUMN approved_by TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE runs ADD COLUMN diff TEXT NOT NULL DEFAULT ''",
      // The run whose numbers an hour showed before this one replaced them.
      "ALTER TABLE run_hours ADD COLUMN replaced_run TEXT NOT NULL DEFAULT ''",
      'ALTER TABLE run_hours ADD COLUMN published_at BIGINT',
      // Clicks by the rule that caught them, as JSON.
      "ALTER TABLE run_hours ADD COLUMN rules TEXT NOT NULL DEFAULT '{}'",
      // When its staged files were removed.
      'ALTER TABLE run_hours ADD COLUMN swept_at BIGINT',
      'CREATE INDEX run_hours_by_hour ON run_hours (hour)',
      `CREATE TABLE leases (
        name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch BIGINT NOT NULL, expires_at BIGINT NOT NULL)`,
      `CREATE TABLE restatements (
        restatement_id BIGINT PRIMARY KEY, published_at BIGINT NOT NULL, run_id TEXT NOT NULL,
        rule_set INTEGER NOT NULL, reason TEXT NOT NULL, advertiser_id TEXT NOT NULL,
        ad_id TEXT NOT NULL, hour BIGINT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
        UNIQUE (run_id, hour, advertiser_id, ad_id))`,
      'CREATE INDEX restatements_by_advertiser ON restatements (advertiser_id, restatement_id)',
    ],
  },
  {
    id: 3,
    name: 'judged-archive-and-reconciliation',
    statements: [
      `CREATE TABLE judged_manifests (
        partition_id INTEGER NOT NULL, first_offset BIGINT NOT NULL, end_offset BIGINT NOT NULL,
        PRIMARY KEY (partition_id, first_offset))`,
      // held_since: clicks received before it may have been judged with nothing left to show for it.
      `CREATE TABLE judged_version (
        id INTEGER PRIMARY KEY, version BIGINT NOT NULL, held_since BIGINT NOT NULL)`,
      'INSERT INTO judged_version (id, version, held_since) VALUES (1, 0, 0)',
      `CREATE TABLE judged_files (
        path TEXT PRIMARY KEY, hour BIGINT NOT NULL, partition_id INTEGER NOT NULL,
        clicks BIGINT NOT NULL, bytes BIGINT NOT NULL, version BIGINT NOT NULL)`,
      'CREATE INDEX judged_files_by_hour ON judged_files (hour)',
      `CREATE TABLE judged_hours (
        hour BIGINT PRIMARY KEY, clicks BIGINT NOT NULL, version BIGINT NOT NULL)`,
      `CREATE TABLE judged_requests (
        partition_id INTEGER PRIMARY KEY, until_offset BIGINT NOT NULL, requested_at BIGINT NOT NULL)`,
      // run_id is empty for an hour that was judged but never built: no reference to runs.
      `CREATE TABLE reconciled_hours (
        hour BIGINT NOT NULL, run_id TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
        judged_version BIGINT NOT NULL, compared BIGINT NOT NULL, reconciled_at BIGINT NOT NULL,
        PRIMARY KEY (hour, run_id))`,
      `CREATE TABLE reconciled_differences (
        hour BIGINT NOT NULL, run_id TEXT NOT NULL, advertiser_id TEXT NOT NULL, class TEXT NOT NULL,
        clicks BIGINT NOT NULL, examples TEXT NOT NULL,
        PRIMARY KEY (hour, run_id, advertiser_id, class))`,
    ],
  },
  {
    id: 4,
    name: 'retention of the batch view',
    statements: [
      // dropped_at: null until the store has been told; a rebuild published later brings rows back.
      `CREATE TABLE dropped_days (
        grain TEXT NOT NULL, day BIGINT NOT NULL, recorded_at BIGINT NOT NULL, dropped_at BIGINT,
        PRIMARY KEY (grain, day))`,
    ],
  },
  {
    id: 5,
    name: 'keys by id, revisions of the catalogue, an audit log that only grows',
    statements: [
      // From here on advertiser_id and publisher_id of a key are lists: ids joined by commas, which
      // no id contains.
      "ALTER TABLE api_keys ADD COLUMN key_id TEXT NOT NULL DEFAULT ''",
      "UPDATE api_keys SET key_id = 'key_' || substr(key_hash, 1, 16)",
      // Partial: a process of the last release still makes keys without an id.
      "CREATE UNIQUE INDEX api_keys_by_id ON api_keys (key_id) WHERE key_id <> ''",
      'ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT',
      // The key that took over when this one was rotated.
      "ALTER TABLE api_keys ADD COLUMN replaced_by TEXT NOT NULL DEFAULT ''",
      ...catalogued.flatMap((table) => [
        `ALTER TABLE ${table} ADD COLUMN revision BIGINT NOT NULL DEFAULT 1`,
        `ALTER TABLE ${table} ADD COLUMN archived_at BIGINT`,
      ]),
      // Pages come in the order of ids: found by owner and id at once, nothing is left to sort.
      'DROP INDEX ads_by_advertiser',
      'CREATE INDEX ads_by_advertiser ON ads (advertiser_id, ad_id)',
      'CREATE INDEX ads_by_campaign ON ads (campaign_id, ad_id)',
      'CREATE INDEX campaigns_by_advertiser ON campaigns (advertiser_id, campaign_id)',
      'CREATE INDEX audit_log_by_time ON audit_log (at, audit_id)',
      {
        sqlite: ['UPDATE', 'DELETE'].map(
          (act) => `CREATE TRIGGER audit_log_keeps_${act.toLowerCase()} BEFORE ${act} ON audit_log
            BEGIN SELECT RAISE(ABORT, '${appendOnly}'); END`,
        ),
        postgres: [
          `CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
            $body$ BEGIN RAISE EXCEPTION '${appendOnly}'; END $body$`,
          `CREATE TRIGGER audit_log_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
        ],
      },
    ],
  },
  {
    id: 6,
    name: 'restatement webhook',
    statements: [
      // delivered: the newest restatement that the receiver has acknowledged.
      `CREATE TABLE webhook_cursors (
        name TEXT PRIMARY KEY, delivered BIGINT NOT NULL, delivered_at BIGINT NOT NULL)`,
      // Each report asks which runs are being published.
      'CREATE INDEX runs_by_status ON runs (status)',
    ],
  },
  {
    id: 7,
    name: 'replays of dead letters',
    statements: [
      // letter_id: partition-offset on clicks.dlq.
      `CREATE TABLE dead_letter_replays (
        letter_id TEXT PRIMARY KEY, replayed_at BIGINT NOT NULL, replayed_by TEXT NOT NULL)`,
    ],
  },
]
