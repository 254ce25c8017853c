import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { Batch, BatchResult } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { startChance } from './support/seeded-random.ts';

const LINES = byLength({ short: 200, long: 10_000 });
const KILLS = byLength({ short: 4, long: 40 });
const PACE_MS = byLength({ short: 1_500, long: 200 });
/** Short leases, so that what is lost is found in moments; no turn is given up for the workers it lost. */
const FAST = { LEASE_MS: '1500', JOB_AGE_MS: '500', MAX_LOST_LEASES: '1000', EGRESS_ALLOW: '127.0.0.1' };

let cluster: Cluster;
afterEach(() => cluster.stop());

async function uploadLines(fields: Record<string, unknown>): Promise<Batch> {
  const lines = Array.from({ length: LINES }, (_, index) =>
    JSON.stringify({ custom_id: `row-${index + 1}`, input: `Say ${index + 1}.` }),
  );
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, JSON.stringify(value));
  form.append('file', new Blob([lines.join('\n')]), 'lines.jsonl');
  const response = await fetch(`${cluster.url}/v1/batches`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}` },
    body: form,
  });
  expect(response.status).toBe(202);
  return (await response.json()) as Batch;
}

/** Kills a program and starts another in its place, the API in one of three cases. */
async function killOne(chance: ReturnType<typeof startChance>): Promise<void> {
  if (chance.between(0, 3) < 1) {
    await cluster.api?.end('SIGKILL');
    await cluster.startApi();
    return;
  }
  const worker = chance.pick(cluster.workers);
  if (worker === undefined) return;
  cluster.workers.splice(cluster.workers.indexOf(worker), 1);
  await worker.end('SIGKILL');
  await cluster.startWorker();
}

async function killUntilEnded(id: string): Promise<void> {
  const chance = startChance();
  const isOver = async (): Promise<boolean> => {
    const { rows } = await cluster.database.pool.query(
      `SELECT 1 FROM turn_batches WHERE id = $1 AND ended_at IS NOT NULL`,
      [id],
    );
    return rows.length > 0;
  };
  for (let kills = 0; kills < KILLS && !(await isOver()); kills++) {
    await killOne(chance);
    await delay(chance.between(100, 800));
  }
  await untilTrue('the batch has ended', isOver, CASE_LIMIT_MS);
}

async function readResults(id: string): Promise<BatchResult[]> {
  const response = await fetch(`${cluster.url}/v1/batches/${id}/results`, {
    headers: { authorization: `Bearer ${cluster.apiKey}` },
  });
  const text = await response.text();
  return text.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as BatchResult)));
}

/** Each line has one turn, which completed, and its results come in the order of the lines. */
async function checkBatch(id: string): Promise<void> {
  const { body } = await cluster.request('GET', `/v1/batches/${id}`);
  expect(body).toMatchObject({ status: 'completed', counts: { total: LINES, completed: LINES } });
  const results = await readResults(id);
  expect(results.map(({ custom_id: name }) => name)).toEqual(
    Array.from({ length: LINES }, (_, index) => `row-${index + 1}`),
  );
  expect(results.filter(({ status, turn }) => status !== 'completed' || turn === null)).toEqual([]);
  expect(new Set(results.map(({ turn }) => turn?.id)).size).toBe(LINES);
  const { rows } = await cluster.database.pool.query<{ turns: number; sessions: number }>(
    `SELECT count(*)::int AS turns, count(DISTINCT session_id)::int AS sessions FROM turns WHERE batch_id = $1`,
    [id],
  );
  expect(rows[0]).toEqual({ turns: LINES, sessions: LINES });
}

test(
  'programs are killed while a batch runs: each line becomes one turn, and each has a result',
  async () => {
    cluster = await Cluster.start({ workers: 2, environment: FAST });
    // Slow enough that turns are open whenever a program is killed.
    await cluster.control.setScript({ rules: [{ pace: { first_token_ms: PACE_MS } }] });
    const agent = await cluster.createAgent();
    const batch = await uploadLines({ defaults: { agent_id: agent.id } });
    await killUntilEnded(batch.id);
    await checkBatch(batch.id);
  },
  CASE_LIMIT_MS,
);
