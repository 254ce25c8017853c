import { checkSettings, openDatabase, type Database } from '@turnpike/store';
import { findDatabaseUrl, readDatabaseUrl } from './config.ts';
import { describeError, Failure } from './failure.ts';

/** The database URL of a command that needs one. Throws a `Failure` where none is set. */
export function requireDatabaseUrl(): string {
  const url = findDatabaseUrl();
  if (url === undefined) {
    throw new Failure('DATABASE_URL is not set, and no `npm start` runs in this directory.');
  }
  return url;
}

/** Runs `work` with an open database. Throws a `Failure` where the database does not answer. */
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
      const where =
        url === readDatabaseUrl()
          ? describeServer(url)
          : `${describeServer(url)}, which .turnpike/env names,`;
      throw new Failure(`The database at ${where} does not answer: ${describeError(error)}.`);
    });
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Host, port and database of a URL, without its credentials. */
export function describeServer(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname === '/' ? '' : pathname}`;
}
