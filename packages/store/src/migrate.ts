import { NO_FILTERS, readMigrations, readSchema, withSchemaEngine } from './schema-engine.ts';

/**
 * Applies the migrations of `folder` (the repository's `prisma/`) that this database does not
 * have yet, and returns their names. Safe to run from several processes: the engine holds an
 * advisory lock. `prisma migrate deploy` agrees with what it leaves.
 */
export async function migrate(databaseUrl: string, folder: string): Promise<string[]> {
  const migrationsList = await readMigrations(folder);
  return withSchemaEngine(databaseUrl, await readSchema(folder), async (engine) => {
    const applied = await engine.applyMigrations({ migrationsList, filters: NO_FILTERS });
    return applied.appliedMigrationNames;
  });
}
