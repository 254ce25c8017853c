import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { defineAgent, defineTool, type CodeTool } from '@turnpike/worker';
import { z } from 'zod';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { callTool, crashAt, crashEverywhere, runTurn, say, type RunOptions } from './index.ts';

let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  drop = database.drop;
  process.env['TURNPIKE_TEST_DATABASE_URL'] = database.url;
});
afterAll(() => drop());

/** What the tools did, in order. */
let done: string[] = [];
const input = z.object({ cents: z.int().optional() });

const toolOf = (
  effect: 'read' | 'idempotent' | 'once',
  onUnknown: 'tell_model' | 'ask' = 'tell_model',
): CodeTool =>
  defineTool({
    name: effect,
    description: 'Does something.',
    input,
    effect,
    onUnknown,
    run(_input, call) {
      done.push(call.idempotencyKey);
      return `${effect} is done`;
    },
  });

const scripted = (tool: CodeTool, more: Partial<RunOptions> = {}): RunOptions => ({
  tools: [tool],
  input: 'Do it.',
  script: [callTool(tool.name, { cents: 5 }), 'It is done.'],
  ...more,
});

/** The keys of the runs of a tool whose worker died there. */
async function runsOf(
  options: RunOptions,
): Promise<{ runs: number; keys: number; status: string | undefined }> {
  done = [];
  const turn = await runTurn(options);
  expect(turn).toMatchObject({ status: 'completed', outputText: 'It is done.' });
  return { runs: done.length, keys: new Set(done).size, status: turn.toolCalls[0]?.status };
}

test('a turn runs the tools of its agent, and says how it ended', async () => {
  done = [];
  const agent = defineAgent({ name: 'a', model: 'claude-haiku-5-5', tools: [toolOf('once')] });
  const script = [[say('I look.'), callTool('once', { cents: 7 })], 'Found.'];
  const turn = await runTurn({ agent, tools: [toolOf('read')], input: 'Look.', script });
  expect(turn).toMatchObject({
    status: 'completed',
    outputText: 'Found.',
    error: null,
    modelCalls: 2,
    thrown: [],
    toolCalls: [
      {
        name: 'once',
        input: { cents: 7 },
        output: 'once is done',
        isError: false,
        status: 'completed',
        attempts: 1,
      },
    ],
  });
  expect(turn.crashPoints.slice(0, 6)).toEqual([
    'before model call 1',
    'after model call 1',
    'before commit 1',
    'after commit 1',
    'before tool once',
    'after tool once',
  ]);
});

test('without a script the simulator calls the tool that the input names', async () => {
  done = [];
  const { toolCalls } = await runTurn({ tools: [toolOf('read')], input: 'Call the tool read.' });
  expect(toolCalls).toMatchObject([{ name: 'read', output: 'read is done' }]);
});

test('a crash shows what a tool does twice: each effect after its run, and before it', async () => {
  const after = (effect: 'read' | 'idempotent' | 'once') =>
    runsOf(scripted(toolOf(effect), { crash: crashAt('after', { tool: effect }) }));
  expect(await after('read')).toEqual({ runs: 2, keys: 1, status: 'completed' });
  expect(await after('idempotent')).toEqual({ runs: 2, keys: 1, status: 'completed' });
  expect(await after('once')).toEqual({ runs: 1, keys: 1, status: 'unknown' });
  const crash = crashAt('before', { tool: 'once' });
  expect(await runsOf(scripted(toolOf('once'), { crash }))).toEqual({ runs: 0, keys: 0, status: 'unknown' });
  // Both workers die: one when the model has replied, one when the tool has run.
  const both = [crashAt('after', { model: 1 }), crashAt('after', { tool: 'read' })];
  expect(await runsOf(scripted(toolOf('read'), { crash: both }))).toEqual({
    runs: 2,
    keys: 1,
    status: 'completed',
  });
});

test('a durable step that is committed is not done again, and one that acts once is never begun twice', async () => {
  const steps = (effect: 'idempotent' | 'once'): CodeTool =>
    defineTool({
      name: 'steps',
      description: 'Acts in two steps.',
      input,
      effect: 'idempotent',
      async run(_input, call) {
        await call.step('charge', { effect }, () => void done.push('charge'));
        await call.step('mail', { effect }, () => void done.push('mail'));
        return 'Both.';
      },
    });
  const actsOf = async (effect: 'idempotent' | 'once', crash: string): Promise<string[]> => {
    done = [];
    await runTurn(scripted(steps(effect), { crash }));
    return done;
  };
  expect(await actsOf('idempotent', crashAt('before', { step: 'mail' }))).toEqual(['charge', 'mail']);
  expect(await actsOf('idempotent', crashAt('after', { step: 'charge' }))).toEqual([
    'charge',
    'charge',
    'mail',
  ]);
  expect(await actsOf('once', crashAt('after', { step: 'charge' }))).toEqual(['charge']);
  expect(await actsOf('once', crashAt('before', { step: 'mail' }))).toEqual(['charge']);
});

test('killed everywhere, a sound tool passes, and one that ignores the key is found, with the place', async () => {
  const kept = new Map<string, number>();
  const pay = (key: (id: string) => string): CodeTool =>
    defineTool({
      name: 'pay',
      description: 'Pays.',
      input,
      effect: 'idempotent',
      run: ({ cents = 0 }, call) => void kept.set(key(call.idempotencyKey), cents),
    });
  const everywhere = (tool: CodeTool): Promise<string[]> =>
    crashEverywhere({
      ...scripted(tool),
      before: () => kept.clear(),
      check: ({ status }) => {
        if (status !== 'completed' || kept.size !== 1) throw new Error(`It paid ${kept.size} times.`);
      },
    });
  const points = await everywhere(pay((id) => id));
  expect(points).toHaveLength(12);
  expect(points).toContain('after tool pay');
  await expect(everywhere(pay((id) => `${id} ${kept.size}`))).rejects.toThrow(
    'A worker died after tool pay: It paid 2 times.',
  );
});

test('what a tool is given and says is there: secrets, what it threw, and answers to those who are asked', async () => {
  const asks = defineTool({
    name: 'asks',
    description: 'Asks.',
    input,
    effect: 'once',
    approval: true,
    secrets: ['token'],
    async run(_input, call) {
      const { size } = await call.suspend({
        question: 'Which size?',
        schema: z.object({ size: z.string() }),
      });
      if (size === 'none') throw new RangeError('There is no such size.');
      return `${size}, ${call.secrets.token.length}`;
    },
  });
  const options = scripted(asks, { secrets: { token: 'abcdefgh' } });
  const questions: unknown[] = [];
  const answering = (size: string) =>
    runTurn({
      ...options,
      answer({ awaiting, question, name }) {
        questions.push([name, awaiting, question]);
        return awaiting === 'approval' ? { approved: true } : { answer: { size } };
      },
    });
  expect((await answering('large')).toolCalls).toMatchObject([{ output: 'large, 8', status: 'completed' }]);
  expect(questions).toEqual([
    ['asks', 'approval', null],
    ['asks', 'answer', 'Which size?'],
  ]);
  const failed = await answering('none');
  expect(failed.thrown).toEqual([new RangeError('There is no such size.')]);
  expect(failed.toolCalls).toMatchObject([{ isError: true }]);
  expect(await runTurn(options)).toMatchObject({ status: 'requires_action' });
});

test('what cannot be is said: a script that is too short, a crash that never comes, a tool that never ends', async () => {
  const short = await runTurn({ ...scripted(toolOf('read')), script: [callTool('read')] });
  expect(short.status).toBe('failed');
  expect(short.error?.message).toContain('The script has one reply, and the model was called once more.');
  await expect(runTurn(scripted(toolOf('read'), { crash: 'after tool other' }))).rejects.toThrow(
    /^The turn never came to "after tool other". It passed:\n {2}before model call 1\n/,
  );
  const endless = defineTool({
    name: 'endless',
    description: 'Never ends.',
    input,
    effect: 'read',
    timeoutMs: 1_000,
    run: () => new Promise<string>(() => undefined),
  });
  await expect(runTurn(scripted(endless, { timeoutMs: 500 }))).rejects.toThrow(
    /^The turn was not over in time/,
  );
});
