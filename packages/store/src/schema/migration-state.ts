import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TerminalError } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';

/** The database lacks migrations of this version, or one of them failed. */
export class NotMigratedError extends TerminalError {
  constructor(message: string) {
    super('not_migrated', message);
  }
}

/** The names of the migrations in `folder` (the repository's `prisma/`), oldest first. */
export async function migrationNames(folder: string): Promise<string[]> {
  const entries = await readdir(join(folder, 'migrations'), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return names.toSorted();
}

/** The names of the migrations of this version. */
export function requiredMigrations(): Promise<string[]> {
  return migrationNames(fileURLToPath(new URL('../../../../prisma', import.meta.url)));
}

const namesSchema = z.array(z.object({ name: z.string() }));

/** The names of the migrations that this schema has; empty if it was never migrated. */
export async function appliedMigrations(sql: pg.Pool, schema: string): Promise<string[]> {
  try {
    const { rows } = await sql.query(
      `SELECT migration_name AS name FROM "${schema}"._prisma_migrations
       WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
    );
    return namesSchema.parse(rows).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** SQLSTATE 42P01 and 3F000: no such table, no such schema. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '3F000');
}
