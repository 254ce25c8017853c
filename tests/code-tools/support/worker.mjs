// A worker with the tools of the tests beside it, as a user writes one.
import { setTimeout as delay } from 'node:timers/promises';
import {
  defineTool,
  FailTurnError,
  RetryLaterError,
  startWorker,
  ToolError,
  UnknownOutcomeError,
} from '../../support/worker-library.mjs';
import { z } from 'zod';

// eslint-disable-next-line node/no-process-env
const { TOOL_SERVER = '' } = process.env;

/** Tells the test's server, which counts. */
const tell = async (call, path, body = {}) => {
  const response = await call.fetch(`${TOOL_SERVER}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return response.json();
};

/** Throws whatever is asked of it. */
const refuse = () => {
  throw new Error('Nothing of it can be read.');
};
const unreadable = { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse };

const anything = z.object({ how: z.string().optional(), text: z.string().optional() });
const tool = (name, effect, run, more = {}) =>
  defineTool({ name, description: `The tool ${name}.`, input: anything, effect, run, ...more });

const tools = [
  tool(
    'show_call',
    'read',
    (_input, call) => ({
      key: call.idempotencyKey === call.toolCallId,
      ids: [call.turnId, call.sessionId, call.tenantId].map((id) => id.split('_')[0]),
      metadata: call.metadata,
      attempt: call.attempt,
      seconds: Math.round((call.deadline.getTime() - Date.now()) / 1000),
      secret: call.secrets.crm_token,
    }),
    { secrets: ['crm_token'] },
  ),
  tool('blocks', 'read', () => [
    { type: 'text', text: 'A dot:' },
    {
      type: 'image',
      source: {
        type: 'base64',
        media_type: 'image/png',
        data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      },
    },
  ]),
  tool('typed', 'read', ({ text }) => (text === 'wrong' ? { sum: 'four' } : { sum: 4 }), {
    output: z.object({ sum: z.number() }),
  }),
  tool('bad_use', 'idempotent', async ({ how }, call) => {
    switch (how) {
      case 'throw a string':
        throw 'just text';
      case 'throw':
        throw new Error('The shop is closed.');
      case 'tool error':
        throw new ToolError('There is no such customer.');
      case 'return a function':
        return () => 1;
      case 'return a circle': {
        const circle = {};
        circle.self = circle;
        return circle;
      }
      case 'step twice':
        await call.step('one', { effect: 'once' }, () => 1);
        await call.step('one', { effect: 'once' }, () => 2);
        return 'not reached';
      case 'await nothing':
        void call.step('slow', { effect: 'once' }, async () => {
          await delay(50);
          await tell(call, '/late');
        });
        return 'returned early';
      case 'throw beside a step':
        return Promise.all([
          call.step('slow', { effect: 'once' }, () => delay(300)),
          call.step('quick', { effect: 'once' }, () => {
            throw new Error('Too quick.');
          }),
        ]);
      case 'write':
        process.stdout.write('written by a tool\n');
        // eslint-disable-next-line no-console
        console.log('logged by a tool');
        return 'wrote';
      case 'exit':
        process.exit(7);
        return 'not reached';
      case 'leak a rejection':
        void Promise.reject(new Error('leaked'));
        setTimeout(() => {
          throw new Error('thrown in a timer');
        }, 1);
        await delay(50);
        return 'leaked';
      case 'large':
        return 'x'.repeat(1_000_000);
      case 'large step':
        return call.step('large', { effect: 'once' }, () => 'x'.repeat(100_000));
      case 'throw what cannot be read':
        throw new Proxy(new Error('hidden'), unreadable);
      case 'throw an error that cannot be read':
        throw Object.defineProperty(new Error('hidden'), 'message', { get: unreadable.get });
      case 'fail a step with what cannot be read':
        return call.step('one', { effect: 'once' }, () => {
          throw new Proxy({}, unreadable);
        });
      case 'let escape what cannot be read':
        void Promise.reject(new Proxy({}, unreadable));
        await delay(50);
        return 'escaped';
      case 'begin a step in a step':
        return call.step('outer', { effect: 'read' }, () => call.step('inner', { effect: 'read' }, () => 1));
      case 'ask in a step':
        return call.step('outer', { effect: 'read' }, () =>
          call.suspend({ question: 'Go?', schema: anything }),
        );
      case 'ask without a schema':
        return call.suspend({ question: 'Go?' });
      case 'odd progress':
        call.progress(7);
        return 'not reached';
      default:
        return 'nothing bad';
    }
  }),
  tool(
    'leak',
    'idempotent',
    async ({ how }, call) => {
      const secret = call.secrets.crm_token;
      const coded = Buffer.from(`%PDF-1.4 ${secret}`).toString('base64');
      switch (how) {
        case 'text':
          return {
            [secret]: [
              JSON.stringify({ secret }),
              encodeURIComponent(secret),
              Buffer.from(secret).toString('hex'),
            ],
          };
        case 'blocks':
          return [secret.slice(0, 9), secret.slice(9)].map((text) => ({ type: 'text', text }));
        case 'document':
          return [
            {
              type: 'document',
              title: `About ${secret}`,
              source: { type: 'text', media_type: 'text/plain', data: `It is ${secret}.` },
            },
          ];
        case 'media':
          return [
            { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: coded } },
          ];
        case 'error':
          throw new ToolError(`The token ${secret} is wrong.`);
        case 'step name':
          return call.step(`with ${secret}`, { effect: 'once' }, () => 1);
        case 'step error':
          return call.step('one', { effect: 'once' }, () => {
            throw new Error(`The token ${secret} is wrong.`);
          });
        case 'step result':
          return call.step('one', { effect: 'once' }, () => ({ secret }));
        case 'question':
          return call.suspend({
            question: `Use ${secret}?`,
            schema: z.object({ ok: z.string().describe(secret) }),
          });
        default:
          call.progress(`with ${secret}`);
          call.log.info(secret, { secret, deep: [{ [secret]: secret }] });
          process.stdout.write(`written: ${secret}\n`);
          void Promise.reject(new Error(secret));
          await delay(50);
          return 'said';
      }
    },
    { secrets: ['crm_token'] },
  ),
  tool('hang', 'idempotent', () => new Promise(() => undefined), { timeoutMs: 300 }),
  tool('hang_once', 'once', () => new Promise(() => undefined), { timeoutMs: 300 }),
  tool('later', 'once', async (_input, call) => {
    if (call.attempt < 3) throw new RetryLaterError('Not yet.', { afterMs: 100 });
    return `attempt ${call.attempt}`;
  }),
  tool('fail_turn', 'once', () => {
    throw new FailTurnError('The account is closed.');
  }),
  tool('unknown', 'once', () => {
    throw new UnknownOutcomeError('Who knows?');
  }),
  tool('lost_answer', 'once', (_input, call) => tell(call, '/cut')),
  tool('ask_approval', 'once', ({ text }) => `did ${text}`, {
    approval: ({ text }) => text === 'dangerous',
  }),
  tool('progress', 'read', async (_input, call) => {
    for (let done = 0; done <= 10; done += 1) {
      call.progress(done / 10);
      await delay(60);
    }
    call.progress('nearly done');
    await delay(400);
    return 'done';
  }),
  tool('three_steps', 'idempotent', async (_input, call) => {
    const one = await call.step('one', { effect: 'once' }, () => tell(call, '/one'));
    const two = await call.step('two', { effect: 'once' }, () => tell(call, '/two'));
    const three = await call.step('three', { effect: 'read' }, () => tell(call, '/three'));
    return [one, two, three];
  }),
  tool('hold_between', 'idempotent', async (_input, call) => {
    const { number: first } = await call.step('before', { effect: 'once' }, () => tell(call, '/before'));
    await call.step('hold', { effect: 'idempotent' }, () => tell(call, '/hold'));
    return { first, attempt: call.attempt };
  }),
  tool(
    'asks_when_unknown',
    'idempotent',
    async (_input, call) => {
      const one = await call.step('one', { effect: 'once' }, () => tell(call, '/hold'));
      return { one };
    },
    { onUnknown: 'ask' },
  ),
  tool('confirm', 'idempotent', async (_input, call) => {
    const order = await call.step('order', { effect: 'once' }, () => tell(call, '/order'));
    const answer = await call.suspend({
      question: `Ship order ${order.number}?`,
      schema: z.object({
        ship: z.boolean(),
        copies: z
          .int()
          .min(1)
          .refine((count) => count !== 13, 'not 13'),
      }),
    });
    return { order: order.number, ...answer };
  }),
];

await startWorker({ tools });
