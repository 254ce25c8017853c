import { randomUUID } from 'node:crypto';
import { Queue, QueueEvents } from 'bullmq';
import express from 'express';
import pg from 'pg';
import { FLOOR_QUEUE } from './schema.ts';

const { DATABASE_URL = '', REDIS_URL = '' } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
const queue = new Queue(FLOOR_QUEUE, { connection: { url: REDIS_URL } });

const app = express();
app.post('/turns', express.json(), async ({ body }: { body: { input: string } }, response) => {
  const id = randomUUID();
  await pool.query({
    name: 'insert',
    text: 'INSERT INTO floor_turns (id, input) VALUES ($1, $2)',
    values: [id, body.input],
  });
  await queue.add('turn', { id }, { jobId: id, removeOnComplete: true });
  response.status(202).json({ id, status: 'queued' });
});

/** Long polls, by the turn that they wait for. */
const waiting = new Map<string, () => void>();
const ends = new QueueEvents(FLOOR_QUEUE, { connection: { url: REDIS_URL } });
ends.on('completed', ({ jobId }) => waiting.get(jobId)?.());
await ends.waitUntilReady();

app.get('/turns/:id', async ({ params: { id }, query }, response) => {
  const ended = new Promise<void>((resolve) => waiting.set(id, resolve));
  let turn = await readTurn(id);
  if (turn?.status !== 'completed' && query['wait'] !== undefined) {
    await ended;
    turn = await readTurn(id);
  }
  waiting.delete(id);
  response.json(turn);
});

async function readTurn(id: string): Promise<{ status: string } | undefined> {
  const { rows } = await pool.query<{ status: string }>({
    name: 'read',
    text: 'SELECT id, status, output FROM floor_turns WHERE id = $1',
    values: [id],
  });
  return rows[0];
}

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
