import { randomUUID } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import type { Schedule } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { startProgram, type Program } from '../support/program.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { startChance } from './support/seeded-random.ts';

/** An hour of every second in the long form. */
const TICKS = byLength({ short: 120, long: 3_600 });
/** Between two of them the simulated clock goes on by the same time, however long that takes. */
const KILLS = byLength({ short: 5, long: 60 });
const TICKERS = 2;
/** Ahead of the true time: only the programs with the simulated clock run them. */
const START = Date.UTC(2040, 0, 1);
const TICKER = fileURLToPath(new URL('support/schedule-ticker.mjs', import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), 'turnpike-clock-'));
const CLOCK_FILE = join(FOLDER, 'clock');
const BACKPLANE_PREFIX = `t-${randomUUID()}`;
const FAST = { LEASE_MS: '1500', JOB_AGE_MS: '500', MAX_LOST_LEASES: '1000', BACKPLANE_PREFIX };

let cluster: Cluster;
const tickers: Program[] = [];
afterEach(async () => {
  await Promise.all(tickers.map((ticker) => ticker.end('SIGKILL')));
  await cluster.stop();
  rmSync(FOLDER, { recursive: true });
});

/** As a whole, or not at all, for those who read it. */
function setClock(seconds: number): void {
  writeFileSync(`${CLOCK_FILE}.next`, String(START + seconds * 1_000));
  renameSync(`${CLOCK_FILE}.next`, CLOCK_FILE);
}

async function startTicker(): Promise<void> {
  const environment = {
    DATABASE_URL: cluster.databaseUrl,
    BACKPLANE_URL: process.env['TEST_REDIS_URL'] ?? cluster.databaseUrl,
    BACKPLANE_PREFIX,
    CLOCK_FILE,
  };
  tickers.push(await startProgram('worker', environment, [], TICKER));
}

/** Kills a program and starts another in its place: mostly one that runs the schedule, now and then a worker. */
async function killOne(chance: ReturnType<typeof startChance>): Promise<void> {
  if (chance.between(0, 4) < 1) {
    const [worker] = cluster.workers.splice(0, 1);
    await worker?.end('SIGKILL');
    await cluster.startWorker();
    return;
  }
  const ticker = chance.pick(tickers);
  if (ticker === undefined) return;
  tickers.splice(tickers.indexOf(ticker), 1);
  await ticker.end('SIGKILL');
  await startTicker();
}

const count = async (condition: string): Promise<number> => {
  const { rows } = await cluster.database.pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${condition}`,
  );
  return rows[0]?.count ?? -1;
};

test(
  'programs are killed while a schedule has a tick every second: each tick becomes one turn, and each turn ends',
  async () => {
    cluster = await Cluster.start({ workers: 1, environment: FAST });
    const agent = await cluster.createAgent();
    const { status, body } = await cluster.request('POST', '/v1/schedules', {
      timing: { type: 'interval', every_seconds: 1 },
      turn: { agent_id: agent.id, input: 'Look again.' },
      overlap: 'allow',
      catch_up: 'all',
      starts_at: new Date(START).toISOString(),
      ends_at: new Date(START + TICKS * 1_000).toISOString(),
    });
    expect([status, body]).toEqual([201, expect.objectContaining({ status: 'active' })]);
    const { id } = body as Schedule;
    const chance = startChance();
    setClock(0);
    for (let ticker = 0; ticker < TICKERS; ticker++) await startTicker();
    const part = TICKS / KILLS;
    for (let kill = 0; kill < KILLS; kill++) {
      setClock((kill + 1) * part);
      const done = Math.floor((kill + chance.next()) * part);
      await untilTrue('ticks have run', async () => (await count('schedule_runs')) >= done, CASE_LIMIT_MS);
      await killOne(chance);
    }
    await untilTrue(
      'the schedule has ended',
      async () => (await count(`schedules WHERE status = 'ended'`)) === 1,
      CASE_LIMIT_MS,
    );
    await untilTrue(
      'all turns have ended',
      async () => (await count('turns WHERE finished_at IS NULL')) === 0,
      CASE_LIMIT_MS,
    );
    const of = `schedule_runs AS runs JOIN turns ON turns.id = runs.turn_id WHERE runs.schedule_id = '${id}'`;
    expect({
      runs: await count(`schedule_runs`),
      started: await count(`${of} AND runs.status = 'started' AND turns.status = 'completed'`),
      ticks: await count(`(SELECT DISTINCT tick_at FROM schedule_runs) AS ticks`),
      turns: await count('turns'),
    }).toEqual({ runs: TICKS, started: TICKS, ticks: TICKS, turns: TICKS });
  },
  CASE_LIMIT_MS,
);
