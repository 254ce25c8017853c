import { checkSettings, openDatabase, type Database } from '@turnpike/store';
import { findDatabaseUrl, readDatabaseUrl } from './config.ts';
import { describeError, Failure } from './failure.ts';

/** The database of a command that makes no sense without one. Throws a `Failure` where none is named. */
export function requireDatabaseUrl(): string {
  const url = findDatabaseUrl();
  if (url === undefined) {
    throw new Failure(
      'DATABASE_URL is not set, and no `npm start` runs in this directory: which database is meant?',
    );
  }
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
    await checkSettings(database, (error) => {
      const where = url === readDatabaseUrl() ? placeOf(url) : `${placeOf(url)}, which .turnpike/env names,`;
      throw new Failure(`The database at ${where} does not answer: ${describeError(error)}.`);
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
