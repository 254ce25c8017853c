/** What the connections of a Postgres backplane connect to. */
export interface PostgresTarget {
  connectionString: string;
  /** For Postgres' `options`, before the search path that BullMQ adds. */
  options: string;
  /** The schema of the disposable tables. */
  schema: string;
}

const IN_PUBLIC = 'turnpike_backplane';

/**
 * Parses an address. An installation with a schema of its own (`?schema=`) has its backplane in a schema next to it,
 * so that several installations share a database. The address's `options` are kept, and the search path is added.
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
