import { expect, test } from '@jest/globals';
import { OutcomeUnknownError, type AgentTool } from '@turnpike/contract';
import { agentWith, callOf, scopeOf, textIn, turnContext } from './testing/test-call.ts';
import { testRunner } from './testing/test-runner.ts';

const input_schema = {
  type: 'object' as const,
  properties: { path: { type: 'string' } },
  required: ['path'],
};
const tool: AgentTool = { type: 'client', name: 'open_file', description: 'Opens a file.', input_schema };
const scope = scopeOf(agentWith(tool));
const runner = testRunner();

test('the model is shown the tool as the agent describes it', () => {
  expect(runner.declare(scope)).toEqual([{ name: 'open_file', description: 'Opens a file.', input_schema }]);
});

test('a call with a valid input waits for the client’s output', async () => {
  expect((await runner.planOf(scope, callOf('open_file', { path: '/a' }))).awaiting).toBe('output');
});

test('an invalid input does not reach the client, and is an error for the model', async () => {
  expect(await runner.planOf(scope, callOf('open_file', { path: 1 }))).toEqual({
    effect: 'read',
    onUnknown: 'tell_model',
    awaiting: null,
  });
  const output = await runner.run(scope, callOf('open_file', { path: 1 }), turnContext());
  expect(output).toMatchObject({ isError: true });
  expect(textIn(output)).toBe('Invalid input: path: must be string');
});

test('a schema that cannot be used is an error for the model', async () => {
  const broken = scopeOf(agentWith({ ...tool, input_schema: { type: 'object', properties: 1 } }));
  expect((await runner.planOf(broken, callOf('open_file', {}))).awaiting).toBeNull();
  const output = await runner.run(broken, callOf('open_file', {}), turnContext());
  expect(textIn(output)).toContain('cannot be checked, so nothing was done');
});

test('no worker runs it or asks for its outcome', async () => {
  const call = callOf('open_file', { path: '/a' }, 'once');
  expect(await runner.run(scope, call, turnContext())).toMatchObject({ isError: true });
  await expect(runner.reconcile(scope, call, turnContext())).rejects.toBeInstanceOf(OutcomeUnknownError);
});
