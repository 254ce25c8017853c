// A worker whose tools compute, in the module that starts it.
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool, RetryLaterError, startWorker, ToolError } from '@turnpike/worker';
import { z } from 'zod';

// eslint-disable-next-line node/no-process-env
const { TOOL_SERVER = '' } = process.env;

const tell = async (call, path, body = {}) => {
  const response = await call.fetch(`${TOOL_SERVER}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return response.json();
};

const anything = z.object({ how: z.string().optional() });
const tool = (name, effect, run, more = {}) =>
  defineTool({ name, description: `The tool ${name}.`, input: anything, effect, run, ...more });

/** Their thread imports this module, and finds them among its exports. */
export const spin = tool('spin', 'idempotent', () => spinFor(Infinity), { isolate: true, timeoutMs: 8_000 });
export const spinOnce = tool('spin_once', 'once', () => spinFor(Infinity), {
  isolate: true,
  timeoutMs: 1_000,
});
export const hoard = tool(
  'hoard',
  'read',
  () => {
    const all = [];
    for (;;) all.push(Array.from({ length: 500_000 }).fill(0.5));
  },
  { isolate: { memoryMb: 128 }, timeoutMs: 120_000 },
);
export const isolated = tool(
  'isolated',
  'idempotent',
  async ({ how }, call) => {
    if (how === 'exit') process.exit(3);
    if (how === 'throw') throw new ToolError('From a thread.');
    if (how === 'later' && call.attempt === 1) throw new RetryLaterError('Not yet.', { afterMs: 100 });
    // eslint-disable-next-line no-console
    console.log('logged in a thread');
    call.progress(0.5);
    const step = await call.step('one', { effect: 'once' }, ({ idempotencyKey }) =>
      tell(call, '/isolated', { idempotencyKey }),
    );
    const answer =
      how === 'ask'
        ? await call.suspend({
            question: 'Go on?',
            schema: z.object({ go: z.boolean().refine(Boolean, 'must go') }),
          })
        : null;
    return { step: step.number, answer, attempt: call.attempt, secret: call.secrets.crm_token };
  },
  { isolate: true, secrets: ['crm_token'] },
);
function spinFor(ms) {
  const end = Date.now() + ms;
  while (Date.now() < end) Math.sqrt(2);
  return 'spun';
}

const holdLoop = tool('hold_loop', 'read', ({ how }) => spinFor(Number(how)));
const short = tool('short', 'read', async () => {
  await delay(500);
  return 'short';
});

await startWorker({ tools: [spin, spinOnce, hoard, isolated, holdLoop, short] });
