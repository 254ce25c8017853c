import { expect, test } from '@jest/globals';
import { subAgentSchema, type AgentTool, type ChildTurn, type SubAgentStore } from '@turnpike/contract';
import { testRunner } from '../testing/test-runner.ts';
import { agentWith, callOf, scopeOf, textIn } from '../testing/test-call.ts';
import { createBuiltins } from '../builtins.ts';
import { createEgress } from '@turnpike/egress';

const named = subAgentSchema.parse({
  type: 'agent',
  name: 'ask',
  agent_id: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r',
  description: 'Answers.',
});
const scope = scopeOf(agentWith(named));
const call = callOf('ask', { prompt: 'How?' });

const withTools = (tools: AgentTool[], httpEffects: Record<string, 'read' | 'once'> = {}): SubAgentStore => ({
  read: () => Promise.resolve({ tools, httpEffects }),
});
const builtin = (name: string): AgentTool => ({ type: 'builtin', name, requires_approval: false });
const http: AgentTool = { type: 'http', name: 'search', requires_approval: false };

test.each<[string, SubAgentStore, string]>([
  ['only reads, if its tools do', withTools([builtin('current_time'), http], { search: 'read' }), 'read'],
  ['has no tools', withTools([]), 'read'],
  ['was deleted', { read: () => Promise.resolve(null) }, 'read'],
  ['has a tool that acts', withTools([http], { search: 'once' }), 'idempotent'],
  ['has a tool that is not there', withTools([http]), 'idempotent'],
  ['has a tool that may act, by its input', withTools([builtin('http_request')]), 'idempotent'],
  ['calls agents itself', withTools([named]), 'idempotent'],
  ['cannot be read now', { read: () => Promise.reject(new Error('no')) }, 'idempotent'],
])('the effect of a call of an agent that %s', async (_what, subAgents, effect) => {
  const builtins = createBuiltins({ egress: createEgress({ allow: [] }) });
  const runner = testRunner({ subAgents, builtins });
  expect(await runner.planOf(scope, call)).toMatchObject({ effect, awaiting: null });
});

test('an agent gets the text of the prompt, and no call with another input starts a child turn', async () => {
  const runner = testRunner();
  expect(await runner.childOf(scope, call)).toEqual({
    agentId: named.agent_id,
    input: [{ type: 'text', text: 'How?' }],
  });
  for (const input of [{}, { prompt: ' ' }, { prompt: 1 }, { prompt: 'a', more: 1 }]) {
    expect(await runner.childOf(scope, callOf('ask', input))).toBeNull();
  }
  expect(await runner.childOf(scope, callOf('other', { prompt: 'How?' }))).toBeNull();
});

test('what a child turn said is bounded like the output of any tool, and empty text is said in words', () => {
  const runner = testRunner({ limits: { maxOutputCharacters: 100 } });
  const child = (text: string): ChildTurn => ({
    id: 'turn_1',
    status: 'completed',
    stopReason: 'end_turn',
    output: [{ type: 'text', text }],
    error: null,
  });
  const long = textIn(runner.outputOfChild(call, child('x'.repeat(1_000))));
  expect(long).toContain('[truncated: 100 of 1,000 characters]');
  expect(textIn(runner.outputOfChild(call, child(' ')))).toBe('ask ended without a text.');
  expect(runner.outputOfChild(call, null)).toMatchObject({ isError: true });
});
