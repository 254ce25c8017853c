/** Where the connections of a Postgres backplane go. */
export interface PostgresTarget {
  connectionString: string;
  /** For Postgres' `options`, before the search path that BullMQ adds. */
  options: string;
  /** The schema of all that is disposable. */
  schema: string;
}

const IN_PUBLIC = 'turnpike_backplane';

/**
 * Reads an address. An installation whose tables are in a schema of their own (`?schema=`) has its backplane
 * beside them, so that several share a database. What an address says of the session would take the place of
 * the search path, and goes with it instead.
 */
export function readPostgresTarget(address: string): PostgresTarget {
  const url = new URL(address);
  const options = url.searchParams.get('options') ?? '';
  const schema = url.searchParams.get('schema') ?? 'public';
  for (const name of ['options', 'schema', 'query_timeout', 'statement_timeout']) {
    url.searchParams.delete(name);
  }
  return {
    connectionString: url.href,
    options,
    schema: schema === 'public' ? IN_PUBLIC : `${schema}_backplane`,
  };
}
