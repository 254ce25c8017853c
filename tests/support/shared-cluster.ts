import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import pg from 'pg';
import { z } from 'zod';
import { TEST_MASTER_KEYS } from './master-keys.ts';
import { startLastingProgram } from './program.ts';
import { fileOfRun } from './run-folder.ts';
import { createTestDatabase } from './test-database.ts';

/** Often enough that no test waits long for a repair. Each pass costs every program processor time that tests need. */
export const RECONCILE_EVERY_MS = '250';
const WORKERS = 2;
/** Any number: the lock that it is started under, by whichever test file needs it first. */
const START_LOCK = 4_713;

const sharedSchema = z.object({ databaseUrl: z.url(), apiUrl: z.url() });
export type SharedCluster = z.infer<typeof sharedSchema>;

/**
 * One API and two workers for all test files that need nothing else of them: each file has a tenant there, with the
 * file's own simulator as its model API. Started by the first file that asks; `stop-services.ts` ends it.
 */
export async function findSharedCluster(): Promise<SharedCluster> {
  const file = fileOfRun('shared-cluster.json');
  const lock = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] });
  await lock.connect();
  try {
    // Unlocked with the end of the connection.
    await lock.query('SELECT pg_advisory_lock($1)', [START_LOCK]);
    if (!existsSync(file)) writeFileSync(file, JSON.stringify(await startSharedCluster()));
    return sharedSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } finally {
    await lock.end();
  }
}

async function startSharedCluster(): Promise<SharedCluster> {
  const { url } = await createTestDatabase();
  const environment = {
    DATABASE_URL: url,
    BACKPLANE_URL: process.env['TEST_REDIS_URL'] ?? url,
    BACKPLANE_PREFIX: `t-${randomUUID()}`,
    TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
    EGRESS_ALLOW: '127.0.0.1',
    RECONCILE_EVERY_MS,
    JOB_AGE_MS: '300',
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'debug',
  };
  const start = async (name: 'api' | 'worker'): Promise<Record<string, unknown>> => {
    const { pid, hello } = await startLastingProgram(name, environment, sharedLog(name));
    appendFileSync(fileOfRun('pids'), `${pid}\n`);
    return hello;
  };
  const workers = Array.from({ length: WORKERS }, () => start('worker'));
  const [{ port }] = await Promise.all([start('api'), ...workers]);
  return { databaseUrl: url, apiUrl: `http://127.0.0.1:${String(port)}` };
}

/** What its programs of this name log. */
export function sharedLog(name: 'api' | 'worker'): string {
  return fileOfRun(`shared-${name}.log`);
}
