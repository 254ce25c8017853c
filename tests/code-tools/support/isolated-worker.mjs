// A worker whose tools compute, in the module that starts it.
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool, RetryLaterError, startWorker, ToolError } from '../../support/worker-library.mjs';
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
    if (how === 'await nothing') {
      void call.step('slow', { effect: 'once' }, () => delay(300));
      return 'returned early';
    }
    if (how === 'go on') {
      setTimeout(() => {
        call.log.info('said by a call that has ended');
        void call.step('late', { effect: 'once' }, () => tell(call, '/late'));
      }, 300);
      return 'returned';
    }
    if (how === 'wait') {
      await delay(1_000);
      return 'waited';
    }
    if (how === 'let escape') {
      void Promise.reject(new Error('escaped'));
      setTimeout(() => {
        throw new Error('thrown in a timer');
      }, 1);
      await delay(100);
      return 'lived on';
    }
    if (how === 'log') {
      const circle = { count: 1n };
      circle.self = circle;
      call.log.info('logged a circle', circle);
      process.stdout.write(`written in a thread: ${call.secrets.crm_token}\n`);
      return 'logged';
    }
    if (how === 'flood') {
      const end = Date.now() + 2_000;
      for (let count = 0; Date.now() < end; count += 1) {
        call.progress(`number ${count}`);
        call.log.info(`said ${count}`);
      }
      return 'flooded';
    }
    if (how === 'ask in a step') {
      const ask = () => call.suspend({ question: 'Go?', schema: anything });
      return call.step('outer', { effect: 'read' }, ask);
    }
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
