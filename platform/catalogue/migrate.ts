// Brings the catalogue's tables up to date. All migrations of one start are one transaction, so
// several processes may start at once: one migrates, the others find it done.
import { migrations, type PerDatabase } from '#schemas/migrations.ts'
import type { Catalogue } from './port.ts'

/** Applies the migrations that the catalogue has not seen. */
export async function migrate(
  catalogue: Pick<Catalogue, 'transaction'>,
  database: keyof PerDatabase,
): Promise<void> {
  await catalogue.transaction(async (tx) => {
    await tx.query(
      'CREATE TABLE IF NOT EXISTS migrations (migration_id INTEGER PRIMARY KEY, name TEXT NOT NULL)',
    )
    const rows = await tx.query<{ migration_id: number }>('SELECT migration_id FROM migrations')
    const applied = new Set(rows.map((row) => Number(row.migration_id)))
    for (const { id, name, statements } of migrations) {
      if (applied.has(id)) continue
      const spoken = statements.flatMap((one) => (typeof one === 'string' ? one : one[database]))
      for (const statement of spoken) await tx.query(statement)
      await tx.query('INSERT INTO migrations (migration_id, name) VALUES ($1, $2)', [id, name])
    }
  })
}
