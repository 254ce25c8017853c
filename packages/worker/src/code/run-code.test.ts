import { expect, test } from '@jest/globals';
import { CallDeferredError, type ToolOutput, type ToolStep } from '@turnpike/contract';
import { createCallGuard } from '@turnpike/egress';
import { noTracing, silentLogger } from '@turnpike/telemetry';
import { z } from 'zod';
import { callOf, turnContext } from '../../../tools/src/testing/test-call.ts';
import { defineTool } from '../define-tool.ts';
import { IsolatedTools } from '../isolate/isolated-tools.ts';
import { prepareCall } from './prepare-call.ts';

const STEP: ToolStep = { kind: 'step', name: 'charge', effect: 'once', status: 'completed', result: '1' };

/** Runs a call, with these committed steps, of a tool whose only slot is taken. */
async function runBusy(steps: readonly ToolStep[]): Promise<ToolOutput> {
  const tool = defineTool({
    name: 'pay',
    description: 'Pays.',
    input: z.object({}),
    effect: 'once',
    run: () => 'paid',
  });
  const guard = createCallGuard({ slots: 1, maxWaiting: 0 });
  const context = { ...turnContext(), steps: () => steps };
  let free = (): void => undefined;
  const taken = guard.run(
    `${context.tenantId} code pay`,
    context.signal,
    () => new Promise<void>((resolve) => (free = resolve)),
  );
  const prepared = await prepareCall(
    tool,
    { value: {}, text: '{}', inexact: [], acceptedBy: null },
    {
      guard,
      readSecret: () => Promise.resolve(null),
      send: () => Promise.reject(new Error('Nothing is sent.')),
      isolated: new IsolatedTools(),
      logger: silentLogger,
      tracing: noTracing,
    },
  );
  try {
    if (!prepared.valid) throw new Error(prepared.explanation);
    return await prepared.run(callOf('pay', {}, 'once'), context);
  } finally {
    free();
    await taken;
  }
}

test('a call of a busy tool is answered with that, and nothing was done', async () => {
  expect(await runBusy([])).toMatchObject({
    isError: true,
    content: [{ type: 'text', text: 'pay is busy with other calls. Nothing was done; try again later.' }],
  });
});

test('a call that did steps before a crash goes on later where its tool is busy', async () => {
  await expect(runBusy([STEP])).rejects.toBeInstanceOf(CallDeferredError);
});
