import { expect, test } from '@jest/globals';
import { TerminalError, type Effect } from '@turnpike/contract';
import { z } from 'zod';
import { recordingLogger } from './testing/recording-logger.ts';
import { agentWith, callOf, scopeOf, textIn, turnContext } from './testing/test-call.ts';
import { testRunner } from './testing/test-runner.ts';
import { defineTool, textOutput, type Tool } from './tool.ts';

const transferSchema = z.strictObject({
  amount: z.string().transform(Number).pipe(z.number().positive()),
  to: z.strictObject({ name: z.string().max(20) }),
  urgent: z.boolean().default(false),
});

/** A tool that keeps what it was given. */
function transfer(effect: Effect | 'by urgency' = 'read') {
  const given: unknown[] = [];
  const tool = defineTool({
    name: 'transfer',
    description: 'Moves money.',
    input: transferSchema,
    effect: effect === 'by urgency' ? (input) => (input.urgent ? 'once' : 'idempotent') : effect,
    run(input, context) {
      given.push({ input, callId: context.callId });
      return Promise.resolve(textOutput('moved'));
    },
  });
  return { tool, given };
}

const scope = scopeOf(agentWith('transfer'));
const fits = { amount: '5', to: { name: 'Ada' } };

function runnerWith(...builtins: Tool[]) {
  return testRunner({ builtins });
}

test('the model is shown the tools of the agent, in its order, with their input schemas', () => {
  const other = { ...transfer().tool, name: 'other' };
  const runner = runnerWith(other, transfer().tool);
  const declared = runner.declare(scopeOf(agentWith('transfer', 'other')));
  expect(declared.map((declaration) => declaration.name)).toEqual(['transfer', 'other']);
  expect(declared[0]).toEqual({
    name: 'transfer',
    description: 'Moves money.',
    input_schema: {
      type: 'object',
      properties: {
        amount: { type: 'string' },
        to: {
          type: 'object',
          properties: { name: { type: 'string', maxLength: 20 } },
          required: ['name'],
          additionalProperties: false,
        },
        urgent: { type: 'boolean', default: false },
      },
      required: ['amount', 'to'],
      additionalProperties: false,
    },
  });
  expect(runner.declare(scopeOf(agentWith()))).toEqual([]);
});

test('the tools of an agent that names an unknown tool cannot be declared', () => {
  const declare = () => runnerWith(transfer().tool).declare(scopeOf(agentWith('transfer', 'teleport')));
  expect(declare).toThrow(TerminalError);
  expect(declare).toThrow(expect.objectContaining({ code: 'unknown_tool' }));
});

test('a tool is given its parsed input, once, and the id of the call', async () => {
  const { tool, given } = transfer();
  const call = callOf('transfer', fits);
  const output = await runnerWith(tool).run(scope, call, turnContext());
  expect(output).toEqual({ content: [{ type: 'text', text: 'moved' }], isError: false });
  expect(given).toEqual([{ input: { ...fits, amount: 5, urgent: false }, callId: call.id }]);
});

test('an invalid input is explained with its paths, and the tool is not called', async () => {
  const { tool, given } = transfer('once');
  const call = callOf('transfer', { amount: 5, to: {}, extra: 1 });
  const output = await runnerWith(tool).run(scope, call, turnContext());
  expect(output.isError).toBe(true);
  expect(textIn(output)).toMatch(/^Invalid input: amount: .+; to\.name: .+; input: .*extra/);
  expect(given).toEqual([]);
});

test('the explanation of an input is limited, and can be stored', async () => {
  const wrong = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`\0${i}${'x'.repeat(1_000)}`, i]));
  const output = await runnerWith(transfer().tool).run(scope, callOf('transfer', wrong), turnContext());
  expect(textIn(output).length).toBeLessThanOrEqual(4_000);
  expect(textIn(output)).not.toContain('\0');
});

test('a call of an unknown tool is an error that names the agent’s tools', async () => {
  const { tool, given } = transfer();
  const runner = runnerWith(tool, { ...tool, name: 'other' }, { ...tool, name: 'third' });
  for (const name of ['teleport', 'third']) {
    const output = await runner.run(
      scopeOf(agentWith('transfer', 'other')),
      callOf(name, fits),
      turnContext(),
    );
    expect(output.isError).toBe(true);
    expect(textIn(output)).toBe(`There is no tool "${name}". The tools are: transfer, other.`);
  }
  const none = await runner.run(scopeOf(agentWith()), callOf('transfer', fits), turnContext());
  expect(textIn(none)).toBe('There is no tool "transfer". The tools are: none.');
  expect(given).toEqual([]);
});

test('the effect is the tool’s, and may depend on the input', async () => {
  const runner = runnerWith(transfer('by urgency').tool);
  expect((await runner.planOf(scope, callOf('transfer', fits))).effect).toBe('idempotent');
  expect((await runner.planOf(scope, callOf('transfer', { ...fits, urgent: true }))).effect).toBe('once');
  expect((await runnerWith(transfer('reconcile').tool).planOf(scope, callOf('transfer', fits))).effect).toBe(
    'reconcile',
  );
});

test('the effect of a call that will not be made is read', async () => {
  const runner = runnerWith(transfer('once').tool);
  expect((await runner.planOf(scope, callOf('transfer', { amount: 'much' }))).effect).toBe('read');
  expect((await runner.planOf(scope, callOf('teleport', fits))).effect).toBe('read');
  expect((await runner.planOf(scopeOf(agentWith()), callOf('transfer', fits))).effect).toBe('read');
});

test('a tool whose effect cannot be determined has the strictest one', async () => {
  const { logger, lines } = recordingLogger();
  const broken = defineTool({
    ...transfer().tool,
    effect: () => {
      throw new Error('broken');
    },
  });
  expect(
    (await testRunner({ builtins: [broken], logger }).planOf(scope, callOf('transfer', fits))).effect,
  ).toBe('once');
  expect(lines.join('')).toContain('The effect of a tool could not be determined.');
});

test('a call that is repeatable by the journal is not made where its tool no longer is', async () => {
  const { tool, given } = transfer('once');
  const output = await runnerWith(tool).run(scope, callOf('transfer', fits, 'read'), turnContext());
  expect(output.isError).toBe(true);
  expect(textIn(output)).toContain('nothing was done');
  expect(given).toEqual([]);
});

test('a schema that throws is an error of the tool, not of the turn', async () => {
  const { logger, lines } = recordingLogger();
  const { tool, given } = transfer('once');
  const input = z.object({}).refine(() => {
    throw new TypeError('secret words');
  });
  const runner = testRunner({ builtins: [{ ...tool, input }], logger });
  expect((await runner.planOf(scope, callOf('transfer', {}))).effect).toBe('read');
  const output = await runner.run(scope, callOf('transfer', {}), turnContext());
  expect(output.isError).toBe(true);
  expect(given).toEqual([]);
  expect(lines.join('')).toContain('TypeError');
  expect(lines.join('')).not.toContain('secret words');
});

test.each([
  ['a name that no agent can give', { name: 'two words' }, /not a valid tool name/],
  ['an input that is not an object', { input: z.string() }, /not an object/],
  ['a deadline that is none', { deadlineMs: 0 }, /not a whole number of milliseconds/],
])('a tool with %s is refused at start', (_, change, words) => {
  expect(() => runnerWith({ ...transfer().tool, ...change })).toThrow(words);
});

test('two tools with one name are refused at start', () => {
  expect(() => runnerWith(transfer().tool, transfer().tool)).toThrow(/same name/);
});

test('invalid limits are refused at start', () => {
  const build = () => testRunner({ limits: { deadlineMs: -1 } });
  expect(build).toThrow(z.ZodError);
});
