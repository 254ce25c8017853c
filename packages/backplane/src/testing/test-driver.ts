import { randomUUID } from 'node:crypto';
import { createPostgresBackend, Queue, withBackend } from 'bullmq';
import pg from 'pg';
import type { Backplane } from '../backplane.ts';
import { openBackplane, type BackplaneOptions } from '../open-backplane.ts';

/** A driver with separate queues, which can be opened several times, as by several processes. */
export interface TestDriver {
  /** Errors in the background. */
  errors: Error[];
  open(options?: Partial<BackplaneOptions>): Promise<Backplane>;
  /** Adds a job with any payload, as no backplane would. */
  addStrangeJob(payload: unknown): Promise<void>;
  /** Closes everything and deletes its data. */
  clear(): Promise<void>;
}

/** The URL's scheme chooses the driver, as for a backplane. */
export function testDriver(server: string): TestDriver {
  const prefix = `{t-${randomUUID()}}`;
  const installation = `t_${randomUUID().replaceAll('-', '')}`;
  const schema = `${installation}_backplane`;
  const opened: Backplane[] = [];
  const errors: Error[] = [];
  const isRedis = /^rediss?:/.test(server);
  const url = isRedis ? server : `${server}?schema=${installation}`;
  return {
    errors,
    async open(options = {}) {
      const onError = (error: Error): void => void errors.push(error);
      const backplane = await openBackplane({ url, prefix, onError, ...options });
      opened.push(backplane);
      return backplane;
    },
    async addStrangeJob(payload) {
      const queue = isRedis
        ? new Queue('turns', { connection: { url }, prefix })
        : new (withBackend(createPostgresBackend).Queue)('turns', {
            connection: { connectionString: server, schema },
          });
      await queue.add('stranger', payload);
      await queue.close();
    },
    async clear() {
      await Promise.all(opened.map((backplane) => backplane.close()));
      if (isRedis) {
        const queue = new Queue('turns', { connection: { url }, prefix });
        await queue.obliterate({ force: true });
        await queue.close();
      } else await dropSchema(server, schema);
    },
  };
}

async function dropSchema(url: string, schema: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  } finally {
    await client.end();
  }
}
