import { TerminalError } from '@turnpike/contract';
import { giveRoleSettings, migrate } from '@turnpike/store';
import { findDatabaseUrl, readMigrateConfig } from '../config.ts';
import { describeError, Failure } from '../failure.ts';
import { PRISMA_FOLDER } from '../paths.ts';
import { warn, say } from '../say.ts';
import { describeServer, requireDatabaseUrl, withDatabase } from '../with-database.ts';

/**
 * Applies the missing migrations to the database of `MIGRATE_DATABASE_URL`, else of `DATABASE_URL`, and prepares the
 * role of `DATABASE_URL` for a pooler.
 */
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
  await prepareRole(url);
}

/**
 * Where the service reaches the database by another address, that may be a pooler, through which it can set nothing:
 * its role gets its settings here.
 */
async function prepareRole(url: string): Promise<void> {
  const serviceUrl = findDatabaseUrl();
  if (serviceUrl === undefined || serverOf(serviceUrl) === serverOf(url)) return;
  const settings = await giveRoleSettings(url, serviceUrl).catch((error: unknown) => {
    // The migrations are applied, and the role may have what it needs: without a pooler it needs nothing.
    if (error instanceof TerminalError && error.code === 'migration_forbidden') return error;
    throw new Failure(`The role of DATABASE_URL could not be prepared: ${describeError(error)}`);
  });
  if (settings instanceof TerminalError) {
    warn(`The role of DATABASE_URL could not be prepared: ${settings.message}`);
  } else if (settings === null) {
    warn(`${describeServer(url)} has no role by the name of that in DATABASE_URL, so none got its settings.`);
  } else if (settings.given.length > 0) {
    const { role, database, given } = settings;
    say(`Gave the role ${role} its settings in the database ${database}: ${given.join(', ')}.`);
    say('A pooler that has open connections must open them again (PgBouncer: RECONNECT).');
  }
}

function serverOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || '5432'}`;
}
