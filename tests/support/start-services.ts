import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleLibraries } from './bundle-libraries.mjs';
import { startPostgres } from './postgres-server.ts';
import { startRedis } from './redis-server.ts';
import type { Service } from './service.ts';

/**
 * The servers that all tests share, started once. Postgres comes with the dependencies; Redis is
 * taken from PATH where there is one, and where there is none, what needs it is skipped, by name.
 */
export default async function startServices(): Promise<void> {
  await bundleLibraries();
  const postgres = await startPostgres();
  services.push(postgres);
  const redis = await startRedis();
  process.env['TEST_DATABASE_URL'] = postgres.url;
  process.env['TEST_RUN_FOLDER'] = mkdtempSync(join(tmpdir(), 'turnpike-test-run-'));
  if (redis === null) {
    process.stderr.write('No redis-server on PATH: what needs Redis is skipped, the rest uses Postgres.\n');
  } else {
    services.push(redis);
    process.env['TEST_REDIS_URL'] = redis.url;
  }
}

/** What `stop-services.ts` stops: both files are loaded by the same process. */
const registry = globalThis as { turnpikeTestServices?: Service[] };
const services = (registry.turnpikeTestServices ??= []);
