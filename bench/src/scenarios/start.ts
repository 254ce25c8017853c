import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TEST_MASTER_KEYS } from '../../../tests/support/master-keys.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { median } from '../statistics.ts';

const ROOT = new URL('../../', import.meta.url);
const TARGET_MS = 1_000;

const PROGRAMS = [
  { what: 'API', path: 'dist/api.js', target: { atMost: TARGET_MS } },
  { what: 'worker', path: 'dist/worker.js', target: { atMost: TARGET_MS } },
  { what: 'API, not bundled', path: 'apps/api/dist/main.js' },
  { what: 'worker, not bundled', path: 'apps/worker/dist/main.js' },
];

/** How long a process takes from its start until it says that it is ready. */
export const start: Scenario = {
  name: 'start',
  async run({ stage, progress, quick }) {
    const rounds = quick ? 3 : 9;
    const environment = await createEnvironment(stage);
    progress.begin('start', rounds + 1);
    const times = PROGRAMS.map((): number[] => []);
    // In turn, so that the programs share whatever else the machine does. The first round only fills caches.
    for (let round = 0; round <= rounds; round++) {
      progress.step(round === 0 ? 'warm-up' : `round ${round} of ${rounds}`);
      for (const [index, { path }] of PROGRAMS.entries()) {
        const ms = await timeStart(path, environment);
        if (round > 0) times[index]?.push(ms);
      }
    }
    return PROGRAMS.map(({ what, target }, index) => ({
      what: `${what}: from spawn to ready, median of ${rounds}`,
      value: median(times[index] ?? []),
      unit: 'ms',
      ...(target === undefined ? {} : { target }),
    }));
  },
};

async function createEnvironment(stage: Stage): Promise<Record<string, string>> {
  const { url } = await createTestDatabase(stage.postgresUrl);
  return {
    NODE_ENV: 'production',
    DATABASE_URL: url,
    BACKPLANE_URL: stage.redisUrl,
    BACKPLANE_PREFIX: `bench-${randomUUID().slice(0, 8)}`,
    TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
    ANTHROPIC_API_KEY: 'sk-ant-bench-0123456789',
    ANTHROPIC_BASE_URL: stage.modelUrl,
    HOST: '127.0.0.1',
    PORT: '0',
  };
}

/** Milliseconds until the first message of `program` (a path from the root of the repository); ends it then. */
async function timeStart(program: string, environment: Record<string, string>): Promise<number> {
  const began = performance.now();
  const child = fork(fileURLToPath(new URL(program, ROOT)), {
    env: { PATH: process.env['PATH'], ...environment },
    // Not those of the bench itself.
    execArgv: process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => {
      throw new Error(`${program} ended (${String(code)}) before it was ready.`);
    }),
  ]);
  const ms = performance.now() - began;
  child.kill(process.env['BENCH_NODE_OPTIONS'] === undefined ? 'SIGKILL' : 'SIGTERM');
  await exited;
  return ms;
}
