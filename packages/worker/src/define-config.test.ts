import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { defineAgent, defineConfig, defineTool, type ConfigSettings } from './index.ts';

const toolOf = (name: string) =>
  defineTool({ name, description: 'D.', input: z.object({}), effect: 'read', run: () => 'done' });
const agentOf = (name: string) => defineAgent({ name, model: 'claude-haiku-5-5', tools: [toolOf('one')] });

test('a config has the tools of its agents too, each once', () => {
  const [one, two] = [toolOf('one'), toolOf('two')];
  const agent = defineAgent({ name: 'a', model: 'claude-haiku-5-5', tools: [one] });
  expect(defineConfig({ tools: [two, one], agents: [agent] })).toEqual({
    type: 'config',
    tools: [two, one],
    agents: [agent],
    mcpServers: [],
  });
});

test('unknown fields, and what has the name of another, are refused', () => {
  const wrong: [unknown, string][] = [
    [{ tool: [] }, 'The config: tool is not a known field.'],
    [undefined, 'The config: give defineConfig() an object, { tools: […], agents: […] }.'],
    [{ tools: { one: toolOf('one') } }, 'The config: tools must be a list.'],
    [
      { tools: [undefined] },
      'A tool is undefined: is its module imported in a circle, or its name misspelt?',
    ],
    [{ agents: [{}] }, 'The config: an agent was not made with defineAgent().'],
    [{ agents: [agentOf('a'), agentOf('a')] }, 'The config: two agents are called a.'],
    [{ tools: [toolOf('one'), toolOf('one')] }, 'Two tools are called one.'],
    [{ agents: [agentOf('a'), agentOf('b')] }, 'Two tools are called one.'],
  ];
  for (const [settings, message] of wrong) {
    expect(() => defineConfig(settings as ConfigSettings)).toThrow(new TypeError(message));
  }
});
