import { migrate } from '@turnpike/store';
import { readMigrateConfig } from '../config.ts';
import { describeError, Failure } from '../failure.ts';
import { PRISMA_FOLDER } from '../places.ts';
import { complain, say } from '../say.ts';
import { placeOf, requireDatabaseUrl, withDatabase } from '../with-database.ts';

/** Applies what the database of `MIGRATE_DATABASE_URL`, else of `DATABASE_URL`, does not have yet. */
export async function migrateDatabase(): Promise<void> {
  const { url = requireDatabaseUrl(), lockTimeoutMs } = readMigrateConfig();
  // The engine's own words for a server that is away say little.
  await withDatabase(url, async () => undefined);
  const onWait = (holder: string): void => complain(`Waiting for another migration. ${holder}`);
  const names = await migrate(url, PRISMA_FOLDER, { lockTimeoutMs, onWait }).catch((error: unknown) => {
    throw new Failure(`The migration of ${placeOf(url)} failed: ${describeError(error)}`);
  });
  for (const name of names) say(`Applied ${name}.`);
  if (names.length === 0) say('Nothing to do: every migration is applied.');
}
