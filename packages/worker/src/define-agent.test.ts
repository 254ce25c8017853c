import { expect, test } from '@jest/globals';
import { z } from 'zod';
import type { createAgentSchema } from '@turnpike/contract';
import { defineAgent, type AgentSettings } from './define-agent.ts';
import { defineTool } from './define-tool.ts';

const forecast = defineTool({
  name: 'forecast',
  description: 'Tells the weather.',
  input: z.object({ city: z.string() }),
  effect: 'read',
  run: () => 'Sunny.',
});

test('an agent in code is the body of a request, with its tools by name', () => {
  const agent = defineAgent({
    name: 'guide',
    model: 'claude-sonnet-4-5',
    system: 'Be kind.',
    tools: [forecast, { type: 'builtin', name: 'current_time' }],
  });
  expect(agent.tools).toEqual([forecast]);
  expect(agent.body).toMatchObject({
    name: 'guide',
    tools: [
      { type: 'code', name: 'forecast', requires_approval: false },
      { type: 'builtin', name: 'current_time' },
    ],
    max_steps: 50,
  });
});

test('an agent that is a tool is named, or given as it was defined', () => {
  const research = defineAgent({ name: 'research', model: 'claude-sonnet-4-5' });
  const asks = { type: 'agent', description: 'Asks.' } as const;
  const { body } = defineAgent({
    name: 'guide',
    model: 'claude-sonnet-4-5',
    tools: [
      { ...asks, name: 'one', agent: research },
      { ...asks, name: 'two', agent: 'writing' },
      { ...asks, name: 'three', agent_id: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r' },
    ],
  });
  expect(body['tools']).toEqual([
    { ...asks, name: 'one', agent: 'research', requires_approval: false },
    { ...asks, name: 'two', agent: 'writing', requires_approval: false },
    { ...asks, name: 'three', agent_id: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r', requires_approval: false },
  ]);
});

test('an agent that the API would refuse is refused where it is defined', () => {
  const settings = { name: 'guide', model: 'claude-sonnet-4-5' };
  expect(() => defineAgent({ ...settings, tools: [forecast, forecast] })).toThrow('tool names must differ');
  expect(() => defineAgent({ ...settings, temperature: 3 })).toThrow('temperature');
  const missing = [forecast, undefined] as (typeof forecast)[];
  expect(() => defineAgent({ ...settings, tools: missing })).toThrow('The agent "guide": tools.1 is no tool');
});

/** Without `undefined`, which the contract's optional fields also allow. */
type Exact<T> = T extends readonly (infer Item)[]
  ? Exact<Item>[]
  : T extends object
    ? { [Key in keyof T]: Exact<Exclude<T[Key], undefined>> }
    : T;

test('an agent in code takes all that the API takes', () => {
  type Body = Exact<z.input<typeof createAgentSchema>>;
  type Tool = NonNullable<Body['tools']>[number];
  type Settings = Required<AgentSettings>;
  type Missing = Exclude<keyof Body, keyof AgentSettings>;
  type MissingTool = Exclude<Tool['type'], Settings['tools'][number]['type']>;
  const missing: [Missing, MissingTool][] = [];
  const takes = (
    settings: AgentSettings,
    body: Omit<Body, 'tools'>,
    tool: Exclude<Tool, { type: 'code' }>,
  ) => {
    settings = { ...body, tools: [tool] } satisfies AgentSettings;
    return settings;
  };
  expect([missing, typeof takes]).toEqual([[], 'function']);
});
