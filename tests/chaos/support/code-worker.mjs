// A worker whose tools are in code: one of each effect, which do what the HTTP tools of the other cases do, and one that
// is made of durable steps.
import { defineTool, startWorker } from '../../support/worker-library.mjs';
import { z } from 'zod';

// eslint-disable-next-line node/no-process-env
const { EFFECT_URLS = '{}', STEP_URL = '' } = process.env;
const urls = JSON.parse(EFFECT_URLS);

async function act(url, key, turn, call) {
  const response = await call.fetch(url, {
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: JSON.stringify({ turn }),
  });
  return response.text();
}

const tool = (effect, more = {}) =>
  defineTool({
    name: effect,
    description: `Does something that is ${effect}.`,
    input: z.object({ turn: z.string() }),
    effect,
    run: ({ turn }, call) => act(urls[effect], call.idempotencyKey, turn, call),
    ...more,
  });

const steps = defineTool({
  name: 'steps',
  description: 'Acts three times.',
  input: z.object({ turn: z.string() }),
  effect: 'idempotent',
  async run({ turn }, call) {
    const done = [];
    for (const name of ['one', 'two', 'three']) {
      done.push(
        await call.step(name, { effect: 'once' }, ({ idempotencyKey }) =>
          act(STEP_URL, idempotencyKey, turn, call),
        ),
      );
    }
    return done.join(' ');
  },
});

await startWorker({
  tools: [
    tool('read'),
    tool('idempotent'),
    tool('once'),
    tool('reconcile', {
      async reconcile(_input, call) {
        const response = await call.fetch(`${urls.reconcile}/outcome?tool_call_id=${call.idempotencyKey}`);
        const { status, output } = await response.json();
        return status === 'completed' ? { outcome: 'done', output } : { outcome: 'not_done' };
      },
    }),
    steps,
  ],
});
