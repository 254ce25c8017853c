import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import {
  newId,
  OutcomeUnknownError,
  type Effect,
  type ToolCallContext,
  type ToolOutput,
} from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import { z } from 'zod';
import type { ToolLimits } from './limits.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { recordingLogger } from './testing/recording-logger.ts';
import { guardWithSlots } from './testing/test-guard.ts';
import { loggedTo, agentWith, callOf, scopeOf, textIn, turnContext } from './testing/test-call.ts';
import { testRunner } from './testing/test-runner.ts';
import { defineTool, textOutput, type Tool, type ToolContext } from './tool.ts';

const scope = scopeOf(agentWith('tool', 'other'));
const never = () => new Promise<never>(() => undefined);

function toolThat(
  run: (context: ToolContext, words: string) => Promise<ToolOutput>,
  effect: Effect = 'read',
) {
  return defineTool({
    name: 'tool',
    description: 'A tool on harness.',
    input: z.object({ words: z.string().default('') }),
    effect,
    run: (input, context) => run(context, input.words),
  });
}

function setUp(tool: Tool, limits: ToolLimits = {}, guard: CallGuard = guardWithSlots(100)) {
  const { logger, lines } = recordingLogger();
  const calm = { ...toolThat(() => Promise.resolve(textOutput('calm'))), name: 'other' };
  const runner = testRunner({ builtins: [tool, calm], logger, limits, guard });
  const run = (context: ToolCallContext = turnContext(), effect: Effect = 'read', words = '') => {
    const call = callOf('tool', { words }, effect);
    return runner.run(scope, call, loggedTo(logger, context, call));
  };
  const runOther = () => runner.run(scope, callOf('other', {}), turnContext());
  return { run, runOther, lines };
}

/** A tool whose calls end when the test says so. */
function heldTool(effect: Effect = 'read') {
  const finish: ((output: ToolOutput) => void)[] = [];
  const tool = toolThat(() => new Promise<ToolOutput>((resolve) => finish.push(resolve)), effect);
  const untilCalls = (count: number): Promise<void> =>
    untilTrue(`call ${count} runs`, () => finish.length >= count);
  return { tool, finish, untilCalls };
}

test.each(['read', 'idempotent'] as const)(
  'a call of effect %s that ignores its signal is answered at the deadline as timed out',
  async (effect) => {
    const { run, lines } = setUp(toolThat(never, effect), { deadlineMs: 20 });
    const output = await run(turnContext(), effect);
    expect(output.isError).toBe(true);
    expect(textIn(output)).toBe('tool timed out: no result within 20 ms.');
    expect(lines.join('')).toContain('A tool call timed out.');
  },
);

test.each(['once', 'reconcile'] as const)(
  'the outcome of a call of effect %s that passes its deadline is unknown',
  async (effect) => {
    const { run } = setUp(toolThat(never, effect), { deadlineMs: 20 });
    await expect(run(turnContext(), effect)).rejects.toMatchObject({
      constructor: OutcomeUnknownError,
      code: 'tool_timeout',
    });
  },
);

test('a tool’s own deadline overrides the runner’s', async () => {
  const { run } = setUp({ ...toolThat(never), deadlineMs: 20 }, { deadlineMs: 3_600_000 });
  expect(textIn(await run())).toContain('within 20 ms');
});

test('the deadline aborts the tool’s signal', async () => {
  let signal: AbortSignal | undefined;
  const tool = toolThat(async (context) => {
    signal = context.signal;
    return never();
  });
  await setUp(tool, { deadlineMs: 20 }).run();
  expect(signal?.aborted).toBe(true);
  expect(signal?.reason).toMatchObject({ name: 'TimeoutError' });
});

test('a result after the deadline is dropped, and only then is its slot free', async () => {
  const { tool, finish } = heldTool();
  const { run, runOther, lines } = setUp(tool, { deadlineMs: 20 }, guardWithSlots(1));
  expect(textIn(await run())).toContain('timed out');
  expect(textIn(await run())).toBe('tool is busy with other calls. Nothing was done; try again later.');
  expect(textIn(await runOther())).toBe('calm');
  finish[0]?.(textOutput('late'));
  await untilTrue('it is dropped', () => lines.join('').includes('its result is dropped'));
  expect(textIn(await run())).toContain('timed out');
});

test('an error after the deadline has no effect', async () => {
  let fail: (error: Error) => void = () => undefined;
  const tool = toolThat(() => new Promise((_, reject) => (fail = reject)));
  const { run } = setUp(tool, { deadlineMs: 20 }, guardWithSlots(1));
  expect(textIn(await run())).toContain('timed out');
  const rejections: unknown[] = [];
  const note = (reason: unknown) => rejections.push(reason);
  process.on('unhandledRejection', note);
  fail(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(rejections).toEqual([]);
  expect(textIn(await run())).toContain('timed out');
});

test('a call without a free slot is an error also where it may be made only once: it was not made', async () => {
  const { tool, finish } = heldTool('once');
  const { run } = setUp(tool, {}, guardWithSlots(1));
  const first = run(turnContext(), 'once');
  const second = await run(turnContext(), 'once');
  expect(second.isError).toBe(true);
  expect(textIn(second)).toContain('Nothing was done');
  finish[0]?.(textOutput('done'));
  expect(textIn(await first)).toBe('done');
  expect(finish).toHaveLength(1);
});

test('a tool that hangs for one tenant has slots for another', async () => {
  const { tool, finish, untilCalls } = heldTool();
  const { run } = setUp(tool, {}, guardWithSlots(1));
  const ours = run();
  await untilCalls(1);
  const theirs = run({ ...turnContext(), tenantId: newId('tenant') });
  await untilCalls(2);
  expect(textIn(await run())).toContain('busy');
  for (const end of finish) end(textOutput('done'));
  expect([textIn(await ours), textIn(await theirs)]).toEqual(['done', 'done']);
});

test('a call that waits for a slot runs as soon as one is free', async () => {
  const { tool, finish, untilCalls } = heldTool();
  const { run } = setUp(tool, {}, guardWithSlots(1, 8));
  const first = run();
  const second = run();
  await untilCalls(1);
  finish[0]?.(textOutput('one'));
  expect(textIn(await first)).toBe('one');
  await untilCalls(2);
  finish[1]?.(textOutput('two'));
  expect(textIn(await second)).toBe('two');
});

test('a turn that stops ends its call at once with its own reason, also one that ignores its signal', async () => {
  const turn = new AbortController();
  const reason = new Error('stop');
  const signals: AbortSignal[] = [];
  const { run } = setUp(
    toolThat((context) => {
      signals.push(context.signal);
      return never();
    }, 'once'),
  );
  const running = run(turnContext(turn.signal), 'once');
  while (signals.length === 0) await new Promise((resolve) => setImmediate(resolve));
  turn.abort(reason);
  await expect(running).rejects.toBe(reason);
  expect(signals[0]?.reason).toBe(reason);
});

test('a turn that has stopped makes no call', async () => {
  let calls = 0;
  const { run } = setUp(
    toolThat(() => {
      calls += 1;
      return Promise.resolve(textOutput('called'));
    }),
  );
  const reason = new Error('stop');
  await expect(run(turnContext(AbortSignal.abort(reason)))).rejects.toBe(reason);
  expect(calls).toBe(0);
});

test('a turn that stops while its call waits for a slot makes no call', async () => {
  const { tool, finish, untilCalls } = heldTool('once');
  const { run } = setUp(tool, {}, guardWithSlots(1, 8));
  const first = run(turnContext(), 'once');
  await untilCalls(1);
  const turn = new AbortController();
  const waiting = run(turnContext(turn.signal), 'once');
  const reason = new Error('stop');
  turn.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  finish[0]?.(textOutput('done'));
  await first;
  expect(finish).toHaveLength(1);
});

test('a turn that stops just as its call gets a slot makes no call, and the slot is released', async () => {
  const { tool, finish, untilCalls } = heldTool();
  const { run } = setUp(tool, {}, guardWithSlots(1, 8));
  const turn = new AbortController();
  const reason = new Error('stop');
  const first = run();
  await untilCalls(1);
  const waiting = run(turnContext(turn.signal));
  const third = run();
  finish[0]?.(textOutput('done'));
  turn.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(textIn(await first)).toBe('done');
  await untilCalls(2);
  finish[1]?.(textOutput('third'));
  expect(textIn(await third)).toBe('third');
  expect(finish).toHaveLength(2);
});

test('no listener stays on the turn’s signal when calls are over', async () => {
  const turn = new AbortController();
  const warned: Error[] = [];
  const note = (warning: Error) => warned.push(warning);
  process.on('warning', note);
  const { run } = setUp(toolThat(() => Promise.resolve(textOutput('done'))));
  for (let call = 0; call < 50; call += 1) await run(turnContext(turn.signal));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warned).toEqual([]);
});

test.each<[string, () => Promise<ToolOutput>]>([
  ['later', () => Promise.reject(new RangeError('words of the input'))],
  [
    'at once',
    () => {
      throw new RangeError('words of the input');
    },
  ],
])(
  'a tool that throws %s is an error without details, logged without its message or input',
  async (_, fail) => {
    const { run, lines } = setUp(
      toolThat(() => fail()),
      {},
    );
    const output = await run(turnContext(), 'read', 'words of the input');
    expect(output.isError).toBe(true);
    expect(textIn(output)).toBe('The tool failed with an internal error.');
    const [line = '{}'] = lines;
    expect(JSON.parse(line)).toMatchObject({ level: 'error', tool: 'tool', error_name: 'RangeError' });
    expect(line).toContain('run-tool.test.ts');
    expect(lines.join('')).not.toContain('words of the input');
  },
);

test('the log of a failure has the error’s code', async () => {
  const { run, lines } = setUp(
    toolThat(() => Promise.reject(Object.assign(new Error('no'), { code: 'ENOENT' }))),
  );
  await run();
  expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({ error_code: 'ENOENT' });
});

test('a tool that throws a value that is no Error is logged too', async () => {
  const { run, lines } = setUp(toolThat(() => Promise.reject('words')));
  expect((await run()).isError).toBe(true);
  expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({ error_name: 'string' });
  expect(lines.join('')).not.toContain('words');
});

test('the model is told that a tool of effect once that throws may have acted', async () => {
  const { run } = setUp(toolThat(() => Promise.reject(new Error('no')), 'once'));
  const output = await run(turnContext(), 'once');
  expect(output.isError).toBe(true);
  expect(textIn(output)).toContain('may have taken effect');
});

test('an unknown outcome is thrown, or is an error for the model where the call may be repeated', async () => {
  const unknown = new OutcomeUnknownError('connection_lost', 'No answer came.');
  const strict = setUp(toolThat(() => Promise.reject(unknown), 'once'));
  await expect(strict.run(turnContext(), 'once')).rejects.toBe(unknown);
  const lenient = setUp(toolThat(() => Promise.reject(unknown), 'idempotent'));
  expect(await lenient.run(turnContext(), 'idempotent')).toEqual(textOutput('No answer came.', true));
});

test('the effect in the journal counts, also where the tool is less strict now', async () => {
  const unknown = new OutcomeUnknownError('connection_lost', 'No answer came.');
  const { run } = setUp(toolThat(() => Promise.reject(unknown), 'read'));
  await expect(run(turnContext(), 'once')).rejects.toBe(unknown);
});

test('an invalid output is an error of the tool', async () => {
  const { run, lines } = setUp(toolThat(() => Promise.resolve('text' as unknown as ToolOutput)));
  const output = await run();
  expect(output.isError).toBe(true);
  expect(textIn(output)).toBe('The tool ran, but its output cannot be shown.');
  expect(lines.join('')).toContain('A tool returned an invalid output.');
});

test('the output is limited by the runner’s limit', async () => {
  const { run } = setUp(
    toolThat(() => Promise.resolve(textOutput('x'.repeat(1_234_567)))),
    { maxOutputCharacters: 64_000 },
  );
  expect(textIn(await run()).slice(64_000)).toBe('\n[truncated: 64,000 of 1,234,567 characters]');
});

test('the deadline survives garbage collection', async () => {
  const collect = (globalThis as { gc?: () => void }).gc;
  const { run } = setUp(
    toolThat((context) => once(context.signal, 'abort').then(never)),
    { deadlineMs: 50 },
  );
  const running = run();
  collect?.();
  expect(textIn(await running)).toContain('timed out');
});
