// Runs in the catalogue of a test, without what they would have staged.
import { type Fixture, startNow } from './fixture.ts'

/** A run of one hour: published, or still `publishing`. */
export async function publishRun(
  { catalogue }: Pick<Fixture, 'catalogue'>,
  run: string,
  hour: number,
  status: 'done' | 'publishing' = 'done',
): Promise<void> {
  const publishedAt = status === 'done' ? startNow : null
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ($1, 'rebuild', $2, 'test', 1, $3, $4)`,
    [run, status, startNow, JSON.stringify({ hours: [hour] })],
  )
  await catalogue.query(
    `INSERT INTO run_hours (run_id, hour, rule_set, archive_version, files, valid, duplicate, invalid, copies, published_at)
     VALUES ($1, $2, 1, 1, '[]', 0, 0, 0, 0, $3)`,
    [run, hour, publishedAt],
  )
  if (publishedAt === null) return
  await catalogue.query(
    `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
     VALUES ($1, $2, 1, 1, $3)`,
    [hour, run, publishedAt],
  )
}
