import { NO_FILTERS, openSchemaEngine, readMigrations, readSchema } from './schema-engine.ts';

/**
 * Applies the migrations of `folder` (the repository's `prisma/`) that this database does not
 * have yet, and returns their names. Safe to run from several processes: the engine holds an
 * advisory lock. `prisma migrate deploy` agrees with what it leaves.
 */
export async function migrate(databaseUrl: string, folder: string): Promise<string[]> {
  const engine = await openSchemaEngine(databaseUrl, await readSchema(folder));
  try {
    const applied = await engine.applyMigrations({
      migrationsList: await readMigrations(folder),
      filters: NO_FILTERS,
    });
    return applied.appliedMigrationNames;
  } finally {
    engine.free();
  }
}
