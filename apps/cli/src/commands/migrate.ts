import { migrate } from '@turnpike/store';
import { readMigrateConfig } from '../config.ts';
import { describeError, Failure } from '../failure.ts';
import { PRISMA_FOLDER } from '../paths.ts';
import { warn, say } from '../say.ts';
import { describeServer, requireDatabaseUrl, withDatabase } from '../with-database.ts';

/** Applies the missing migrations to the database of `MIGRATE_DATABASE_URL`, else of `DATABASE_URL`. */
export async function migrateDatabase(): Promise<void> {
  const { url = requireDatabaseUrl(), lockTimeoutMs } = readMigrateConfig();
  // The engine's error for a server that is away is not clear.
  await withDatabase(url, async () => undefined);
  const onWait = (holder: string): void => warn(`Waiting for another migration. ${holder}`);
  const names = await migrate(url, PRISMA_FOLDER, { lockTimeoutMs, onWait }).catch((error: unknown) => {
    throw new Failure(`The migration of ${describeServer(url)} failed: ${describeError(error)}`);
  });
  for (const name of names) say(`Applied ${name}.`);
  if (names.length === 0) say('Nothing to do: every migration is applied.');
}
