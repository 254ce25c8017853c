import { migrate } from '@turnpike/store';
import { describeError, Failure } from '../failure.ts';
import { PRISMA_FOLDER } from '../places.ts';
import { say } from '../say.ts';
import { placeOf, requireDatabaseUrl, withDatabase } from '../with-database.ts';

/** Applies what `DATABASE_URL` does not have yet. */
export async function migrateDatabase(): Promise<void> {
  const url = requireDatabaseUrl();
  // The engine's own words for a server that is away say little.
  await withDatabase(url, async () => undefined);
  const names = await migrate(url, PRISMA_FOLDER).catch((error: unknown) => {
    throw new Failure(`The migration of ${placeOf(url)} failed: ${describeError(error)}`);
  });
  for (const name of names) say(`Applied ${name}.`);
  if (names.length === 0) say('Nothing to do: every migration is applied.');
}
