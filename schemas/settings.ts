// Every setting, with its default. platform/config.ts reads them; docs/SETTINGS.md lists the same
// (a test compares). An unknown CLICKLEDGER_ name or a malformed value stops the process.

export type SettingType = 'string' | 'int' | 'boolean' | 'duration' | 'bytes' | 'list' | 'networks'

export interface Setting {
  readonly type: SettingType
  readonly default: string
  readonly doc: string
  readonly choices?: readonly string[]
  readonly secret?: true
  readonly min?: number
  readonly max?: number
  /** Bytes of a text that is not empty, at least. */
  readonly bytesMin?: number
  /** Where this one is set, those must be, too. */
  readonly needs?: readonly string[]
  /** Regular expression that the text must match. */
  readonly pattern?: string
  /** The path of a file that must be there, where it is not empty. */
  readonly isFile?: true
}

export const settings = {
  CLICKLEDGER_DATA_DIR: { type: 'string', default: './data', doc: 'Where everything is kept.' },
  CLICKLEDGER_HOST: {
    type: 'string',
    default: '127.0.0.1',
    doc: 'Address to listen on. Anything but loopback is reachable by others.',
  },
  CLICKLEDGER_INGEST_PORT: {
    type: 'int',
    default: '8080',
    max: 65535,
    doc: 'Port of ingest; 0: any free.',
  },
  CLICKLEDGER_SERVING_PORT: {
    type: 'int',
    default: '8090',
    max: 65535,
    doc: 'Port of serving; 0: any free.',
  },
  CLICKLEDGER_METRICS_PORT: {
    type: 'int',
    default: '0',
    max: 65535,
    doc: 'Port of /metrics, /livez and /readyz of this process, besides those of ingest and serving; 0: none.',
  },
  CLICKLEDGER_PUBLIC_INGEST_URL: {
    type: 'string',
    default: '',
    doc: 'How browsers reach ingest, for signed click URLs; empty: host and port.',
  },
  CLICKLEDGER_ADMIN_KEY: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'Admin API key to use instead of one made up on first start.',
  },
  CLICKLEDGER_SECRET: {
    type: 'string',
    default: '',
    secret: true,
    bytesMin: 32,
    doc: 'Master secret for hashes and signatures (32 bytes or more, same on every node); empty: made on first start, kept in the data directory.',
  },
  CLICKLEDGER_JWT_JWKS_URL: {
    type: 'string',
    default: '',
    needs: ['CLICKLEDGER_JWT_ISSUER', 'CLICKLEDGER_JWT_AUDIENCE'],
    pattern: '^$|^https://|^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/]',
    doc: 'Public keys (JWKS) of the identity provider whose tokens (JWT) serving takes beside API keys: https, or http on this machine; empty: none. A token has the claims `sub`, `exp`, `role`, and `advertiser_id` or `publisher_id` (an id or a list) for those roles.',
  },
  CLICKLEDGER_JWT_ISSUER: {
    type: 'string',
    default: '',
    needs: ['CLICKLEDGER_JWT_JWKS_URL'],
    doc: 'The claim `iss` of tokens, to the letter.',
  },
  CLICKLEDGER_JWT_AUDIENCE: {
    type: 'string',
    default: '',
    needs: ['CLICKLEDGER_JWT_JWKS_URL'],
    doc: 'What the claim `aud` of tokens must be, or hold.',
  },
  CLICKLEDGER_JWT_CLOCK_SKEW: {
    type: 'duration',
    default: 'PT30S',
    max: 300_000,
    doc: 'How far the clock of the identity provider may be off.',
  },
  CLICKLEDGER_SIGNING_KEY_IDS: {
    type: 'list',
    default: 'k1',
    doc: 'Key ids accepted in signatures; the first one signs. Rotate by putting a new one first.',
  },
  CLICKLEDGER_LOG_LEVEL: {
    type: 'string',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    doc: 'How much is logged, as JSON lines on stderr.',
  },
  CLICKLEDGER_TRACING: {
    type: 'boolean',
    default: 'false',
    doc: 'Carry the W3C trace context of sampled clicks (traceparent) to the judged click, and log a span at level debug for each hop.',
  },
  CLICKLEDGER_PARTITIONS: {
    type: 'int',
    default: '4',
    min: 1,
    doc: 'Partitions of clicks.raw and clicks.judged, when the topics are made.',
  },
  CLICKLEDGER_NODE_ID: {
    type: 'string',
    default: 'node-1',
    doc: 'Name of this node in the write-ahead log reports; unique among ingest nodes.',
  },
  CLICKLEDGER_TRUSTED_PROXIES: {
    type: 'networks',
    default: '127.0.0.0/8,::1/128',
    doc: 'Networks whose X-Forwarded-For is believed.',
  },
  CLICKLEDGER_BLOCKED_IPS: {
    type: 'networks',
    default: '',
    doc: 'Networks (CIDR) whose clicks get the mark blocked-ip.',
  },
  CLICKLEDGER_GEO_DATABASE: {
    type: 'string',
    default: '',
    isFile: true,
    doc: 'Path of a geography database (.mmdb, DB-IP or MaxMind layout, country or city); empty: the bundled country database.',
  },
  CLICKLEDGER_RATE_LIMIT: {
    type: 'int',
    default: '2000',
    min: 0,
    doc: 'Requests a second from one address, at most; 0: no limit. Loopback proxies name the address.',
  },
  CLICKLEDGER_ACK: {
    type: 'string',
    default: 'wal',
    choices: ['wal', 'log'],
    doc: 'wal: answer when the click is on the local disk. log: also wait for the event log, up to 30 ms.',
  },
  CLICKLEDGER_WAL_DIR: {
    type: 'string',
    default: '',
    doc: 'Where ingest keeps its write-ahead log; empty: `wal` in the data directory. Answers wait for this disk: one that nothing else writes to keeps them fast.',
  },
  CLICKLEDGER_WAL_SEGMENT_BYTES: {
    type: 'bytes',
    default: '64MiB',
    min: 4096,
    doc: 'Size of a write-ahead log segment file.',
  },
  CLICKLEDGER_WAL_BYTES_MAX: {
    type: 'bytes',
    default: '8GiB',
    min: 4096,
    doc: 'Unshipped clicks kept on disk at most; beyond it clicks are not accepted.',
  },
  CLICKLEDGER_SPEED_WINDOW: {
    type: 'duration',
    default: 'PT10M',
    min: 1000,
    doc: 'History the speed layer keeps for repeat rules and copies.',
  },
  CLICKLEDGER_SPEED_KEYS_MAX: {
    type: 'int',
    default: '4000000',
    min: 1000,
    doc: 'Keys each table of the speed layer holds in one generation, at most.',
  },
  CLICKLEDGER_SPEED_RETENTION: {
    type: 'duration',
    default: 'P7D',
    min: 3_600_000,
    doc: 'Age (event time) up to which clicks enter the speed view.',
  },
  CLICKLEDGER_MINUTE_RETENTION: {
    type: 'duration',
    default: 'P7D',
    min: 3_600_000,
    doc: 'How long after the boundary has passed them the batch view keeps rows by minute (whole UTC days). Beyond it, reports are answered from hours and days, or refused.',
  },
  CLICKLEDGER_HOUR_RETENTION: {
    type: 'duration',
    default: 'P90D',
    min: 3_600_000,
    doc: 'How long after the boundary has passed them the batch view keeps rows by hour; at least as long as rows by minute. Rows by day are kept for ever.',
  },
  CLICKLEDGER_ARCHIVE_INTERVAL: {
    type: 'duration',
    default: 'PT5M',
    min: 100,
    doc: 'Clicks wait this long at most before they are archived.',
  },
  CLICKLEDGER_ARCHIVE_ROWS_MAX: {
    type: 'int',
    default: '1000000',
    min: 1,
    doc: 'Clicks of one partition that are archived in one go.',
  },
  CLICKLEDGER_LATENESS: {
    type: 'duration',
    default: 'PT10M',
    min: 0,
    doc: 'Allowed lateness: how long after its end an hour is sealed.',
  },
  CLICKLEDGER_RECONCILE_INTERVAL: {
    type: 'duration',
    default: 'PT1M',
    min: 100,
    doc: 'How often the scheduler compares newly published hours with what the speed layer said.',
  },
  CLICKLEDGER_SEAL_INTERVAL: {
    type: 'duration',
    default: 'PT15S',
    min: 50,
    doc: 'How often the scheduler looks for hours to seal and to rebuild.',
  },
  CLICKLEDGER_SCHEDULER: {
    type: 'boolean',
    default: 'true',
    doc: 'Whether this serve process may also seal and rebuild hours. Of several that may, the one that holds the lease does; another takes over when it dies. Embedded, there is only one serve process.',
  },
  CLICKLEDGER_NODE_SILENCE: {
    type: 'duration',
    default: 'PT1H',
    min: 1000,
    doc: 'An ingest node silent for longer is not waited for when sealing.',
  },
  CLICKLEDGER_REBUILD_WORKERS: {
    type: 'int',
    default: '1',
    min: 1,
    doc: 'Worker threads of a rebuild, one DuckDB thread each.',
  },
  CLICKLEDGER_REBUILD_MEMORY: {
    type: 'bytes',
    default: '2GiB',
    min: 64 * 1024 * 1024,
    doc: 'Memory of one rebuild worker; beyond it DuckDB spills to disk.',
  },
  CLICKLEDGER_REBUILD_TASK_CLICKS: {
    type: 'int',
    default: '4000000',
    min: 1,
    doc: 'Clicks of neighbouring hours that one rebuild task takes together, at most (an hour is never split).',
  },
  CLICKLEDGER_REBUILD_PAUSE: {
    type: 'duration',
    default: 'PT0S',
    min: 0,
    doc: 'Pause of a worker after each task of a rebuild, for machines that have other work.',
  },
  CLICKLEDGER_GUARD_PERCENT: {
    type: 'int',
    default: '20',
    min: 0,
    doc: 'Guard rail: a run that changes the clicks of an hour, or of an advertiser in an hour, by more per cent waits for approval.',
  },
  CLICKLEDGER_GUARD_CLICKS: {
    type: 'int',
    default: '100',
    min: 1,
    doc: 'Guard rail: shares of fewer clicks than this are not looked at.',
  },
  CLICKLEDGER_RUNS_KEPT: {
    type: 'int',
    default: '3',
    min: 1,
    doc: 'Staged output of an hour is kept for so many runs, the published one included: as far back a rollback can go.',
  },
  CLICKLEDGER_SPARK_SUBMIT: {
    type: 'string',
    default: 'spark-submit',
    doc: 'Path of spark-submit (Apache Spark 4; pip install pyspark brings one), for rebuilds on the engine spark.',
  },
  CLICKLEDGER_SPARK_MASTER: {
    type: 'string',
    default: 'local[*]',
    pattern: '^(local(\\[.+\\])?|yarn|(spark|k8s)://.+)$',
    doc: 'Where Spark runs: local[N], yarn, spark://host:port or k8s://https://host:port. Anything but local needs the archive in S3.',
  },
  CLICKLEDGER_SPARK_CONF: {
    type: 'list',
    default: '',
    doc: 'More Spark properties (spark.name=value, comma-separated; commas inside a value are taken as such). They stand on the command line: secrets belong into spark-defaults.conf.',
  },
  CLICKLEDGER_OLAP_MEMORY: {
    type: 'bytes',
    default: '2GiB',
    min: 64 * 1024 * 1024,
    doc: 'Memory of the embedded OLAP store.',
  },
  CLICKLEDGER_QUERY_TIMEOUT: {
    type: 'duration',
    default: 'PT30S',
    min: 100,
    doc: 'A report query is stopped after this time.',
  },
  CLICKLEDGER_QUERIES_AT_ONCE: {
    type: 'int',
    default: '8',
    min: 1,
    max: 256,
    doc: 'Queries that one serving process has under way in the OLAP store; one tenant gets half of them at most, and 16 times as many may wait. All serving processes together should stay under druid.server.http.numThreads of a broker.',
  },
  CLICKLEDGER_NAMESPACE: {
    type: 'string',
    default: '',
    pattern: '^([a-z][a-z0-9-]{0,30})?$',
    doc: 'Several installations on one set of servers: prefix of topics, groups, datasources and object keys, and the schema of the catalogue in PostgreSQL. Small letters, digits and hyphens.',
  },
  CLICKLEDGER_KAFKA_BROKERS: {
    type: 'list',
    default: '',
    doc: 'Bootstrap servers (host:port) of Redpanda or Apache Kafka; empty: the embedded event log.',
  },
  CLICKLEDGER_KAFKA_USERNAME: {
    type: 'string',
    default: '',
    needs: ['CLICKLEDGER_KAFKA_PASSWORD'],
    doc: 'SASL user name; empty: no authentication.',
  },
  CLICKLEDGER_KAFKA_PASSWORD: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'SASL password.',
  },
  CLICKLEDGER_KAFKA_SASL: {
    type: 'string',
    default: 'scram-sha-256',
    choices: ['plain', 'scram-sha-256', 'scram-sha-512'],
    doc: 'SASL mechanism, where there is a user name.',
  },
  CLICKLEDGER_KAFKA_TLS: {
    type: 'boolean',
    default: 'false',
    doc: 'Connect to the brokers with TLS. NODE_EXTRA_CA_CERTS adds a certificate authority.',
  },
  CLICKLEDGER_KAFKA_REPLICATION: {
    type: 'int',
    default: '3',
    min: 1,
    doc: 'Replicas of topics when they are made; fewer where the cluster has fewer brokers. With three, two must have a record before it is acknowledged.',
  },
  CLICKLEDGER_SCHEMA_REGISTRY_URL: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'http(s):// URL of a Confluent-compatible schema registry, with user:password@ where it wants them: the schema of clicks.raw is registered there on start, and records bear the id that it gives; empty: none is needed.',
  },
  CLICKLEDGER_DRUID_URL: {
    type: 'string',
    default: '',
    needs: ['CLICKLEDGER_KAFKA_BROKERS', 'CLICKLEDGER_S3_BUCKET'],
    doc: 'URL of the Druid router (with its management proxy); empty: the embedded OLAP store. Queries go to the brokers that it knows, where they can be reached from here. Druid reads the event log and the bucket itself.',
  },
  CLICKLEDGER_DRUID_USERNAME: {
    type: 'string',
    default: '',
    doc: 'User of Druid, basic authentication; empty: none.',
  },
  CLICKLEDGER_DRUID_PASSWORD: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'Password of the Druid user.',
  },
  CLICKLEDGER_DRUID_KAFKA_BROKERS: {
    type: 'list',
    default: '',
    doc: 'Bootstrap servers as Druid reaches them; empty: CLICKLEDGER_KAFKA_BROKERS.',
  },
  CLICKLEDGER_DRUID_TASKS: {
    type: 'int',
    default: '1',
    min: 1,
    doc: 'Realtime tasks that share the partitions of clicks.judged.',
  },
  CLICKLEDGER_DRUID_REPLICAS: {
    type: 'int',
    default: '1',
    min: 1,
    doc: 'Copies of each realtime task. With two, answers stay whole while one dies.',
  },
  CLICKLEDGER_DRUID_LOAD_TASKS: {
    type: 'int',
    default: '1',
    min: 1,
    doc: 'Sub-tasks that load hours into Druid at once, each in a task slot of its own; 1: a load needs no second slot. Raise it to what the cluster has to spare.',
  },
  CLICKLEDGER_DRUID_TASK_DURATION: {
    type: 'duration',
    default: 'PT1H',
    min: 60_000,
    doc: 'How long a realtime task reads before it publishes its segments.',
  },
  CLICKLEDGER_S3_BUCKET: {
    type: 'string',
    default: '',
    doc: 'Bucket of the archive and of staged runs; empty: the embedded object store.',
  },
  CLICKLEDGER_S3_ENDPOINT: {
    type: 'string',
    default: '',
    doc: 'URL of an S3 server; empty: AWS.',
  },
  CLICKLEDGER_S3_REGION: { type: 'string', default: 'us-east-1', doc: 'Region of the bucket.' },
  CLICKLEDGER_S3_PATH_STYLE: {
    type: 'boolean',
    default: 'false',
    doc: 'true: the bucket is in the path (most servers that are not AWS). false: in the host name.',
  },
  CLICKLEDGER_S3_ACCESS_KEY: {
    type: 'string',
    default: '',
    needs: ['CLICKLEDGER_S3_SECRET_KEY'],
    secret: true,
    doc: 'Access key; empty: found as the AWS SDK finds it (environment, profile, role).',
  },
  CLICKLEDGER_S3_SECRET_KEY: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'Secret key that belongs to the access key.',
  },
  CLICKLEDGER_OBJECT_CACHE_BYTES: {
    type: 'bytes',
    default: '4GiB',
    min: 64 * 1024 * 1024,
    doc: 'Local copies of objects for engines that read files, at most (S3 only).',
  },
  CLICKLEDGER_POSTGRES_URL: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'postgres:// URL of the catalogue; empty: the embedded catalogue.',
  },
  CLICKLEDGER_POSTGRES_POOL: {
    type: 'int',
    default: '4',
    min: 2,
    doc: 'Connections to PostgreSQL that one layer keeps, at most.',
  },
  CLICKLEDGER_REDIS_URL: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'redis:// URL of the cache of ads that ingest nodes share; empty: each has just its own. Never trusted, never waited for.',
  },
  CLICKLEDGER_WEBHOOK_URL: {
    type: 'string',
    default: '',
    secret: true,
    pattern: '^(https?://.+)?$',
    needs: ['CLICKLEDGER_WEBHOOK_SECRET'],
    doc: 'Where restatements are posted to, signed and in order; empty: nowhere. Begins with the first that there ever was.',
  },
  CLICKLEDGER_WEBHOOK_SECRET: {
    type: 'string',
    default: '',
    secret: true,
    bytesMin: 16,
    doc: 'Signs what is posted to CLICKLEDGER_WEBHOOK_URL (HMAC-SHA256); the receiver has the same.',
  },
  CLICKLEDGER_URL: {
    type: 'string',
    default: '',
    doc: 'Serving URL of the instance that commands work on; empty: the one on the data directory.',
  },
  CLICKLEDGER_KEY: {
    type: 'string',
    default: '',
    secret: true,
    doc: 'API key that commands use; empty: one made for the command, in the data directory.',
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settings
