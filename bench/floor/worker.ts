import Anthropic from '@anthropic-ai/sdk';
import { Worker } from 'bullmq';
import pg from 'pg';
import { FLOOR_QUEUE } from './schema.ts';

const { DATABASE_URL = '', REDIS_URL = '', MODEL_URL, CONCURRENCY = '100' } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
const model =
  MODEL_URL === undefined ? null : new Anthropic({ baseURL: MODEL_URL, apiKey: 'bench', maxRetries: 0 });

/** With `MODEL_URL`, makes one model call for each turn; without, none. */
async function response(input: string): Promise<string> {
  if (model === null) return input;
  const stream = model.messages.stream({
    model: 'claude-sonnet-4-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: input }],
  });
  return stream.finalText();
}

const worker = new Worker(
  FLOOR_QUEUE,
  async ({ data }: { data: { id: string } }) => {
    const output = await response('Hello.');
    await pool.query({
      name: 'update',
      text: `UPDATE floor_turns SET status = 'completed', output = $2 WHERE id = $1`,
      values: [data.id, output],
    });
  },
  { connection: { url: REDIS_URL, maxRetriesPerRequest: null }, concurrency: Number(CONCURRENCY) },
);
await worker.waitUntilReady();
process.send?.({ ready: true });
