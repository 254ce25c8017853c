import { randomUUID } from 'node:crypto';
import pg from 'pg';

/**
 * Creates an empty database on this server, calls `work` with its address, and drops it. The role must be allowed to
 * create databases.
 */
export async function withScratchDatabase<Result>(
  databaseUrl: string,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const name = `turnpike_check_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  url.searchParams.delete('schema');
  await withClient(databaseUrl, (client) => client.query(`CREATE DATABASE ${name}`));
  try {
    return await work(url.href);
  } finally {
    await withClient(databaseUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
}

/** Opens one connection for as long as `work` takes. */
export async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
