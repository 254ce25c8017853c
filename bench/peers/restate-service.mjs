// A turn as a Restate handler: a model step and a step that saves the response, each journaled.
import { createServer } from 'node:http2';
import Anthropic from '@anthropic-ai/sdk';
import pg from 'pg';

// The SDK is written for Node 22.
Promise.withResolvers ??= () => {
  let resolve, reject;
  const promise = new Promise((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
};
const restate = await import('@restatedev/restate-sdk');

const { DATABASE_URL, MODEL_URL } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 });
const model = new Anthropic({ baseURL: MODEL_URL, apiKey: 'bench', maxRetries: 0 });

async function callModel(input) {
  const stream = model.messages.stream({
    model: 'claude-sonnet-4-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: input }],
  });
  return stream.finalText();
}

const turns = restate.service({
  name: 'turns',
  handlers: {
    run: async (context, { id, input }) => {
      const output = await context.run('model', () => callModel(input));
      await context.run('save', async () => {
        await pool.query({
          name: 'save',
          text: `INSERT INTO floor_turns (id, input, status, output) VALUES ($1, $2, 'completed', $3)
                 ON CONFLICT (id) DO NOTHING`,
          values: [id, input, output],
        });
      });
      return { id, output };
    },
  },
});

const server = createServer(restate.createEndpointHandler({ services: [turns] }));
server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
