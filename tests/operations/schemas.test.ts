import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { migrate } from '@turnpike/store';
import pg from 'pg';
import { Cluster } from '../support/cluster.ts';
import { createTestDatabase, PRISMA_FOLDER } from '../support/test-database.ts';

let url: string;
let drop: () => Promise<void>;
let clusters: Cluster[] = [];

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  const beside = `${url}?schema=Beside&options=-c%20timezone%3DAsia%2FKathmandu`;
  await migrate(beside, PRISMA_FOLDER);
  // The backplane too is in the database: each installation has one of its own there.
  clusters = await Promise.all(
    [url, beside].map((databaseUrl) => Cluster.start({ workers: 1, databaseUrl, backplaneUrl: databaseUrl })),
  );
});
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.stop()));
  await drop();
});

test('two installations in one database, each in its schema, run their own turns and touch nothing of the other', async () => {
  const began = Date.now();
  const turns = await Promise.all(
    clusters.map(async (cluster, index) => {
      const agent = await cluster.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] });
      const endpoint = { url: 'http://127.0.0.1:9/hooks', events: ['turn.completed'] };
      await cluster.request('POST', '/v1/webhook_endpoints', endpoint);
      const accepted = await Promise.all(
        [1, 2, 3].map((number) =>
          cluster.submit({ agentId: agent.id }, `Installation ${index}, turn ${number}.`),
        ),
      );
      return Promise.all(accepted.map(({ id }) => cluster.untilEnded(id)));
    }),
  );
  for (const turn of turns.flat()) {
    expect(turn).toMatchObject({ status: 'completed' });
    const acceptedAt = Date.parse(turn.created_at);
    expect(acceptedAt).toBeGreaterThan(began - 60_000);
    expect(acceptedAt).toBeLessThan(Date.now() + 60_000);
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(
    `SELECT (SELECT array_agg(id ORDER BY id) FROM public.turns) AS here,
            (SELECT array_agg(id ORDER BY id) FROM "Beside".turns) AS beside,
            (SELECT array_agg(nspname::text ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE '%backplane') AS backplanes`,
  );
  await client.end();
  const [here, beside] = turns.map((some) => some.map(({ id }) => id).toSorted());
  expect(rows).toEqual([{ here, beside, backplanes: ['Beside_backplane', 'turnpike_backplane'] }]);
});
