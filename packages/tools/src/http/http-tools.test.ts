import { expect, test } from '@jest/globals';
import { TerminalError, type AgentTool, type ToolConfig } from '@turnpike/contract';
import { agentWith, callOf, registered, scopeOf, textIn, turnContext } from '../testing/test-call.ts';
import { testRunner } from '../testing/test-runner.ts';

const url = 'https://tools.example/run';
const input_schema: ToolConfig['input_schema'] = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
};
const http = (requires_approval = false): AgentTool => ({ type: 'http', name: 'weather', requires_approval });
const scopeWith = (config: Partial<ToolConfig> = {}, approval = false) =>
  scopeOf(agentWith(http(approval)), [registered({ url, input_schema, ...config }, 'weather')]);
const fits = { city: 'Lisbon' };

test('the model is shown the tool as its tenant registered it', () => {
  expect(testRunner().declare(scopeWith({ description: 'Tells the weather.' }))).toEqual([
    { name: 'weather', description: 'Tells the weather.', input_schema },
  ]);
});

test('the tools of an agent that names an unregistered tool cannot be declared', () => {
  const declare = () => testRunner().declare(scopeOf(agentWith(http()), []));
  expect(declare).toThrow(TerminalError);
  expect(declare).toThrow(expect.objectContaining({ code: 'unknown_tool' }));
});

test('a call of a tool that was deleted meanwhile is an error, and acts on nothing', async () => {
  const scope = scopeOf(
    agentWith(http(), { type: 'memory', name: 'memory', namespace: 'a', requires_approval: false }),
  );
  expect((await testRunner().planOf(scope, callOf('weather', fits))).effect).toBe('read');
  const output = await testRunner().run(scope, callOf('weather', fits), turnContext());
  expect(textIn(output)).toBe('There is no tool "weather". The tools are: memory.');
});

test('a call is handled as its tool is registered, and waits for approval where the agent says so', async () => {
  const { planOf } = testRunner();
  expect(await planOf(scopeWith(), callOf('weather', fits))).toEqual({
    effect: 'idempotent',
    onUnknown: 'tell_model',
    awaiting: null,
    acceptedBy: null,
  });
  const strict = scopeWith({ effect: 'once', on_unknown: 'ask' }, true);
  expect(await planOf(strict, callOf('weather', fits))).toEqual({
    effect: 'once',
    onUnknown: 'ask',
    awaiting: 'approval',
    acceptedBy: null,
  });
});

test('an invalid input acts on nothing and is explained with its paths; it needs an approval too, since it may become valid', async () => {
  const runner = testRunner();
  const scope = scopeWith({ effect: 'once' }, true);
  const plan = await runner.planOf(scope, callOf('weather', { city: 5 }));
  expect(plan).toEqual({ effect: 'read', onUnknown: 'tell_model', awaiting: 'approval' });
  const output = await runner.run(scope, callOf('weather', { city: 5 }, plan.effect), turnContext());
  expect(output).toMatchObject({ isError: true });
  expect(textIn(output)).toBe('Invalid input: city: must be string');
});

test('a schema that cannot be used is an error, and acts on nothing', async () => {
  const runner = testRunner();
  const scope = scopeWith({ input_schema: { type: 'object', required: 'city' } });
  expect((await runner.planOf(scope, callOf('weather', fits))).effect).toBe('read');
  const output = await runner.run(scope, callOf('weather', fits), turnContext());
  expect(textIn(output)).toContain('cannot be checked, so nothing was done');
});

test.each([
  ['read', 'idempotent'],
  ['read', 'once'],
  ['idempotent', 'once'],
  ['idempotent', 'reconcile'],
] as const)(
  'a call that the journal takes for %s is not made by a tool that is %s by now',
  async (known, now) => {
    const scope = scopeWith({ effect: now });
    const output = await testRunner().run(scope, callOf('weather', fits, known), turnContext());
    expect(output.isError).toBe(true);
    expect(textIn(output)).toBe('weather has changed meanwhile, so nothing was done. Call it again.');
  },
);
