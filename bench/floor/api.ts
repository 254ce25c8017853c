import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
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
  await queue.add('turn', { id }, { removeOnComplete: true });
  response.status(202).json({ id, status: 'queued' });
});
app.get('/turns/:id', async ({ params }, response) => {
  const { rows } = await pool.query({
    name: 'read',
    text: 'SELECT id, status, output FROM floor_turns WHERE id = $1',
    values: [params.id],
  });
  response.json(rows[0]);
});
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
