import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { LIMIT_MS, useProject } from './use-project.ts';

const project = useProject();
/** A database that is there already: none of these starts needs a Postgres server that is started for it. */
let database: { url: string; drop(): Promise<void> };
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test(
  'a PORT that is in use is refused, and so is --port',
  async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const address = holder.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const refused = project.start({ DATABASE_URL: database.url, PORT: port });
    const ended = await refused.untilEnded();
    expect(ended.code).toBe(1);
    expect(ended.reportedErrors).toContain(
      `turnpike: Port ${port} is in use by another program: free it, or give another one`,
    );
    expect(refused.left()).toEqual([]);
    const byOption = await project.turnpikeWith({ DATABASE_URL: database.url }, 'start', '--port', port);
    expect(byOption).toMatchObject({ code: 1, reportedErrors: ended.reportedErrors });
    holder.close();
  },
  LIMIT_MS,
);

test(
  'a service that is named and does not answer ends the start with one line and exit code 1',
  async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const withoutDatabase = await project
      .start({ DATABASE_URL: `postgres://user:hidden@${nowhere}/app` })
      .untilEnded();
    expect(withoutDatabase.code).toBe(1);
    expect(withoutDatabase.reportedErrors).toMatch(
      /^turnpike: The database at 127\.0\.0\.1:\d+\/app does not answer: .*\n$/,
    );
    expect(withoutDatabase.reportedErrors).not.toContain('hidden');

    // With a Postgres server that was started for it, which must not be left.
    const line = project.start({ REDIS_URL: `redis://:hidden@${nowhere}` });
    const withoutRedis = await line.untilEnded();
    expect(withoutRedis.code).toBe(1);
    expect(withoutRedis.reportedErrors).toContain('REDIS_URL: ');
    expect(withoutRedis.reportedErrors).not.toContain('hidden');
    expect(line.left()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  'a program that refuses its settings ends the start with its own words',
  async () => {
    const line = project.start({ DATABASE_URL: database.url, LEASE_MS: 'soon' });
    const ended = await line.untilEnded();
    expect(ended.code).toBe(1);
    expect(ended.reportedErrors).toMatch(
      /Worker \d ended \(exit code 1\): .*LEASE_MS.*Log: \.turnpike\/logs\/worker-\d\.log/,
    );
    expect(line.left()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  'a cloud that is named for the model is used, and what it needs is said by name',
  async () => {
    const line = project.start({ DATABASE_URL: database.url, MODEL_PROVIDER: 'bedrock' });
    const ended = await line.untilEnded();
    expect(ended.code).toBe(1);
    expect(line.output).toMatch(/Model +Amazon Bedrock, from MODEL_PROVIDER\n/);
    expect(ended.reportedErrors).toContain('AWS_REGION: is required with MODEL_PROVIDER=bedrock');
    expect(line.left()).toEqual([]);
  },
  LIMIT_MS,
);
