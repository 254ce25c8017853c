import { openDatabase, type Database } from '@turnpike/store';
import { readDatabaseUrl } from './config.ts';
import { describeError, Failure } from './failure.ts';

/** The database of a command that makes no sense without one. */
export function requireDatabaseUrl(): string {
  const url = readDatabaseUrl();
  if (url === undefined) throw new Failure('DATABASE_URL is not set; it names the database to work on.');
  return url;
}

/** Opens the database for as long as `work` takes. Throws a `Failure` where it does not answer. */
export async function withDatabase<Result>(
  url: string,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = openDatabase({
    url,
    poolSize: 2,
    applicationName: 'turnpike-cli',
    onError: () => undefined,
  });
  try {
    await database.ping().catch((error: unknown) => {
      throw new Failure(`The database at ${placeOf(url)} does not answer: ${describeError(error)}.`);
    });
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Where a server is, without what is secret in its address. */
export function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname === '/' ? '' : pathname}`;
}
