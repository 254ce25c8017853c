import pg from 'pg';
import { Redis } from 'ioredis';
import type { Stage } from './stage.ts';

/** How often each SQL statement and each Redis command was sent. */
export interface RoundTrips {
  sql: Map<string, number>;
  redis: Map<string, number>;
}

/** Counts the statements and commands for this database while `work` ran, by the servers' own statistics. */
export async function countRoundTrips(
  stage: Stage,
  databaseUrl: string,
  work: () => Promise<unknown>,
): Promise<RoundTrips> {
  const client = new pg.Client({ connectionString: stage.postgresUrl });
  await client.connect();
  const redis = new Redis(stage.redisUrl);
  const commands = new Map<string, number>();
  const monitor = await redis.monitor();
  try {
    await client.query('SELECT pg_stat_statements_reset()');
    commands.clear();
    // Commands of a script inside the server are not round trips.
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source === 'lua') return;
      const name = nameOf(args);
      commands.set(name, (commands.get(name) ?? 0) + 1);
    });
    await work();
    const { rows } = await client.query<{ query: string; calls: number }>(
      `SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 60) AS query, sum(calls)::int AS calls
       FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)
       GROUP BY 1 ORDER BY 2 DESC`,
      [new URL(databaseUrl).pathname.slice(1)],
    );
    return { sql: new Map(rows.map(({ query, calls }) => [query, calls])), redis: commands };
  } finally {
    await client.end();
    monitor.disconnect();
    redis.disconnect();
  }
}

/** Names a script by its number of keys and its first key: `evalsha 8 ...:turns:wait`. */
function nameOf([command = '', _script, keys = '', firstKey = '']: readonly string[]): string {
  const name = command.toLowerCase();
  return name === 'evalsha'
    ? `${name} ${keys} ${firstKey
        .split(':')
        .slice(1, 3)
        .join(':')
        .replace(/_[0-9a-z]{20,}$/, '')}`
    : name;
}
