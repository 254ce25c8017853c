// What the peers that are libraries share: the model call, and HTTP as the floor has it.
import Anthropic from '@anthropic-ai/sdk';
import express from 'express';
import pg from 'pg';

const { DATABASE_URL, MODEL_URL } = process.env;
const model = new Anthropic({ baseURL: MODEL_URL, apiKey: 'bench', maxRetries: 0 });

export function openPool() {
  return new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
}

export async function callModel(input) {
  const stream = model.messages.stream({
    model: 'claude-sonnet-4-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: input }],
  });
  return stream.finalText();
}

/** `submit` resolves with the id of a stored turn, `untilDone` with its result. */
export async function serveTurns({ submit, untilDone }) {
  const app = express();
  app.post('/turns', express.json(), async ({ body }, response) => {
    response.status(202).json({ id: await submit(body), status: 'queued' });
  });
  app.get('/turns/:id', async ({ params: { id } }, response) => {
    response.json({ ...(await untilDone(id)), status: 'completed' });
  });
  const server = app.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
}
