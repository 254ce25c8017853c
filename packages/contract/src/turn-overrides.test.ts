import { expect, test } from '@jest/globals';
import { agentConfigSchema } from './agents.ts';
import type { AllowedOverrides } from './allowed-overrides.ts';
import {
  forbiddenOverrides,
  overriddenFields,
  overrideAgent,
  turnOverridesSchema,
  type TurnOverrides,
} from './turn-overrides.ts';
import { submitTurnSchema } from './turns.ts';

const agent = agentConfigSchema.parse({
  model: 'claude-sonnet-4-5',
  system: 'Be kind.',
  max_steps: 5,
  temperature: 0.5,
});

test('overrides replace the fields that they name, null resets one, and the rest is the agent', () => {
  const overrides: TurnOverrides = { model: 'claude-opus-4-6', temperature: null, tools: [] };
  expect(overrideAgent(agent, overrides)).toEqual({
    ...agent,
    model: 'claude-opus-4-6',
    temperature: undefined,
  });
  expect(overrideAgent(agent, null)).toBe(agent);
  expect(overriddenFields(overrides)).toEqual(['model', 'temperature', 'tools']);
  expect(overriddenFields(null)).toEqual([]);
});

test.each<[allowed: AllowedOverrides | undefined, overrides: TurnOverrides, issues: string[]]>([
  [undefined, {}, []],
  [undefined, { system: null }, ['overrides.system: the agent does not allow a turn to override system']],
  [{ system: true }, { system: 'Be brief.' }, []],
  [
    { system: true },
    { system: 'Be brief.', effort: 'low' },
    ['overrides.effort: the agent does not allow a turn to override effort'],
  ],
  [{ model: ['a', 'b'] }, { model: 'b' }, []],
  [{ model: ['a', 'b'] }, { model: 'c' }, ['overrides.model: the agent allows a, b']],
  [{ max_steps: 3 }, { max_steps: 3 }, []],
  [{ max_steps: 3 }, { max_steps: 4 }, ['overrides.max_steps: the agent allows at most 3']],
  // The default is more than that, too.
  [{ max_tokens: 3000 }, { max_tokens: null }, ['overrides.max_tokens: the agent allows at most 3000']],
])('an agent that allows %j has of %j: %j', (allowed, overrides, issues) => {
  const owner = { ...agent, allowed_overrides: allowed };
  const found = forbiddenOverrides(owner, overrides, overrideAgent(owner, overrides));
  expect(found.map(({ path, message }) => `${path}: ${message}`)).toEqual(issues);
});

test('nothing else of an agent can be overridden, and a turn that is joined keeps what it has', () => {
  for (const field of ['pool', 'model_keys', 'allowed_overrides', 'context_tokens', 'speel']) {
    expect(turnOverridesSchema.safeParse({ [field]: {} }).success).toBe(false);
  }
  const joins = { input: 'Hi', multitask_strategy: 'steer', overrides: { system: 'x' } };
  expect(submitTurnSchema.safeParse(joins).error?.issues).toMatchObject([{ path: ['overrides'] }]);
});
