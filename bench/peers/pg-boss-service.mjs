// A turn as a job of pg-boss. One process sends jobs and works them; who waits is told in it, since pg-boss tells nobody.
import { randomUUID } from 'node:crypto';
import PgBoss from 'pg-boss';
import { callModel, openPool, serveTurns } from './turns-over-http.mjs';

const QUEUE = 'turns';
const WORKERS = 4;
const BATCH = 16;

const pool = openPool();
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 20 });
boss.on('error', (error) => process.stderr.write(`${error.message}\n`));
await boss.start();
await boss.createQueue(QUEUE);

const ends = new Map();

async function runTurn({ data: { id, input } }) {
  const output = await callModel(input);
  await pool.query({
    name: 'update',
    text: `UPDATE floor_turns SET status = 'completed', output = $2 WHERE id = $1`,
    values: [id, output],
  });
  ends.get(id)?.resolve({ id, output });
}

for (let worker = 0; worker < WORKERS; worker += 1) {
  // The shortest interval that pg-boss accepts.
  const options = { batchSize: BATCH, pollingIntervalSeconds: 0.5 };
  await boss.work(QUEUE, options, (jobs) => Promise.all(jobs.map(runTurn)));
}

await serveTurns({
  async submit({ input }) {
    const id = randomUUID();
    const end = {};
    end.done = new Promise((resolve) => (end.resolve = resolve));
    ends.set(id, end);
    await pool.query({
      name: 'insert',
      text: 'INSERT INTO floor_turns (id, input) VALUES ($1, $2)',
      values: [id, input],
    });
    await boss.send(QUEUE, { id, input });
    return id;
  },
  async untilDone(id) {
    const result = await ends.get(id)?.done;
    ends.delete(id);
    return result;
  },
});
