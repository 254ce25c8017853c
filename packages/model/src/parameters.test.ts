import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  createAgentSchema,
  modelParameters,
  type CreateAgent,
  type ToolDeclaration,
} from '@turnpike/contract';
import { SimControl, startModelSim, type ModelSim } from '@turnpike/model-sim';
import { z } from 'zod';
import { callTestModel, testModel } from './testing/test-model.ts';

let sim: ModelSim;
let control: SimControl;
beforeAll(async () => {
  sim = await startModelSim({ port: 0 });
  control = new SimControl(sim.controlUrl);
});
beforeEach(() => control.reset());
afterAll(() => sim.close());

interface Parameter {
  field: keyof typeof modelParameters | 'max_tokens' | 'system';
  /** What the agent says, and what else it needs for that. */
  given: Record<string, unknown>;
  /** A model that takes it. */
  on?: string;
  /** What is in the body of the request. */
  sent: Record<string, unknown>;
  betas?: string[];
  /** A model that does not take it, or a change of the agent with which no model does. */
  refusedFor: string | Record<string, unknown>;
  /** The path of the issue, where it is not the field. */
  at?: string;
}

const ADAPTIVE = { type: 'adaptive', display: 'omitted' };
const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const CLEAR_TOOLS = { type: 'clear_tool_uses_20250919', keep: { type: 'tool_uses', value: 2 } };
const CLEAR_THINKING = { type: 'clear_thinking_20251015', keep: 'all' };
const CODE = { type: 'server', name: 'code_execution' };
const SKILL = { type: 'anthropic', skill_id: 'xlsx', version: 'latest' };
const clears = (edit: object) => ({ context_management: { edits: [edit] } });

const PARAMETERS: Parameter[] = [
  {
    field: 'max_tokens',
    given: { max_tokens: 10_000 },
    sent: { max_tokens: 10_000 },
    refusedFor: 'claude-3-5-haiku-latest',
  },
  { field: 'system', given: { system: 'Be kind.' }, sent: {}, refusedFor: { system: [] } },
  {
    field: 'temperature',
    given: { temperature: 0.5 },
    sent: { temperature: 0.5 },
    refusedFor: 'claude-opus-4-7',
  },
  { field: 'top_p', given: { top_p: 0.5 }, sent: { top_p: 0.5 }, refusedFor: 'claude-haiku-5-5' },
  { field: 'top_k', given: { top_k: 5 }, sent: { top_k: 5 }, refusedFor: 'claude-fable-5' },
  {
    field: 'stop_sequences',
    given: { stop_sequences: ['END'] },
    sent: { stop_sequences: ['END'] },
    refusedFor: { stop_sequences: [' '] },
    at: 'stop_sequences.0',
  },
  {
    field: 'thinking',
    given: { thinking: ADAPTIVE },
    on: 'claude-opus-5-5',
    sent: { thinking: ADAPTIVE },
    refusedFor: 'claude-sonnet-4-5',
    at: 'thinking.type',
  },
  {
    field: 'thinking',
    given: { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 2000 },
    sent: { thinking: { type: 'enabled', budget_tokens: 1024 } },
    refusedFor: 'claude-opus-5',
    at: 'thinking.type',
  },
  {
    field: 'thinking',
    given: { thinking: { type: 'between_tools' } },
    on: 'claude-sonnet-5-5',
    sent: { thinking: { type: 'between_tools' } },
    refusedFor: 'claude-opus-5-5',
    at: 'thinking.type',
  },
  {
    field: 'thinking',
    given: { thinking: { type: 'disabled' } },
    on: 'claude-haiku-5-5',
    sent: { thinking: { type: 'disabled' } },
    refusedFor: 'claude-opus-5-5',
    at: 'thinking.type',
  },
  {
    field: 'effort',
    given: { effort: 'xhigh' },
    on: 'claude-opus-4-8',
    sent: { output_config: { effort: 'xhigh' } },
    refusedFor: 'claude-opus-4-6',
  },
  {
    field: 'tool_choice',
    given: { tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    sent: { tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    refusedFor: 'claude-opus-5-5',
    at: 'tool_choice.type',
  },
  {
    field: 'tool_choice',
    given: { tool_choice: { type: 'tool', name: 'ask' } },
    sent: { tool_choice: { type: 'tool', name: 'ask' } },
    refusedFor: 'claude-sonnet-5-5',
    at: 'tool_choice.type',
  },
  {
    field: 'tool_choice',
    given: { tool_choice: { type: 'none' } },
    sent: { tool_choice: { type: 'none' } },
    refusedFor: { tool_choice: { type: 'none', name: 'ask' } },
  },
  {
    field: 'output_format',
    given: { output_format: { type: 'json_schema', schema: SCHEMA } },
    sent: {
      output_config: { format: { type: 'json_schema', schema: { ...SCHEMA, additionalProperties: false } } },
    },
    refusedFor: 'claude-3-7-sonnet-latest',
  },
  {
    field: 'service_tier',
    given: { service_tier: 'standard_only' },
    sent: { service_tier: 'standard_only' },
    refusedFor: { service_tier: 'cheap' },
  },
  {
    field: 'batch_fallback',
    given: { service_tier: 'batch', batch_fallback: false },
    sent: {},
    refusedFor: { service_tier: 'auto' },
  },
  // Without the beta the simulator refuses the one, and with it the other.
  {
    field: 'speed',
    given: { speed: 'fast' },
    on: 'claude-opus-5-5',
    sent: { speed: 'fast' },
    refusedFor: 'claude-opus-4-8',
  },
  {
    field: 'speed',
    given: { speed: 'fast' },
    on: 'claude-opus-5',
    sent: { speed: 'fast' },
    betas: ['fast-mode-2026-02-01'],
    refusedFor: 'claude-haiku-4-5',
  },
  {
    field: 'inference_geo',
    given: { inference_geo: 'us' },
    on: 'claude-opus-4-6',
    sent: { inference_geo: 'us' },
    refusedFor: 'claude-sonnet-4-5',
  },
  {
    field: 'context_management',
    given: clears(CLEAR_TOOLS),
    sent: clears(CLEAR_TOOLS),
    betas: ['context-management-2025-06-27'],
    refusedFor: 'claude-3-5-haiku-latest',
  },
  {
    field: 'context_management',
    given: { ...clears(CLEAR_THINKING), thinking: ADAPTIVE },
    on: 'claude-opus-4-6',
    sent: clears(CLEAR_THINKING),
    betas: ['context-management-2025-06-27'],
    refusedFor: { thinking: { type: 'disabled' } },
    at: 'context_management.edits',
  },
  {
    field: 'container',
    given: { container: { skills: [SKILL] }, tools: [CODE] },
    sent: { container: { skills: [SKILL] } },
    refusedFor: { tools: [] },
    at: 'container.skills',
  },
  {
    field: 'betas',
    given: { betas: ['context-1m-2025-08-07'] },
    sent: {},
    betas: ['context-1m-2025-08-07'],
    refusedFor: { betas: ['a b'] },
    at: 'betas.0',
  },
  {
    field: 'cache_ttl',
    given: { cache_ttl: '1h' },
    sent: {},
    refusedFor: { cache_ttl: '1d' },
  },
  {
    field: 'model_metadata',
    given: { model_metadata: { user_id: 'u-7' } },
    sent: { metadata: { user_id: 'u-7' } },
    refusedFor: { model_metadata: { user_id: '' } },
    at: 'model_metadata.user_id',
  },
];

const ASK = { type: 'client', name: 'ask', description: 'Asks.', input_schema: { type: 'object' } };
const RUNS_CODE = { type: 'code_execution_20250825', name: 'code_execution' };
const DECLARED: ToolDeclaration = { name: 'ask', description: 'Asks.', input_schema: { type: 'object' } };

const agentOf = ({ given, on = 'claude-sonnet-4-5' }: Parameter): Record<string, unknown> => ({
  name: 'a',
  model: on,
  tools: [ASK],
  ...given,
});

test.each(PARAMETERS)('$given reaches the wire as it should', async (parameter) => {
  const { name: _name, ...agent }: CreateAgent = createAgentSchema.parse(agentOf(parameter));
  const { model } = testModel(sim.url);
  const tools = parameter.field === 'container' ? [RUNS_CODE] : [DECLARED];
  const response = await callTestModel(model, { request: { agent, tools } }).response;
  await model.close();
  const [call, ...others] = await control.calls();
  expect(others).toEqual([]);
  expect(call).toMatchObject({ status: 200, model: agent.model, parameters: parameter.sent });
  expect(call?.betas).toEqual(parameter.betas ?? []);
  expect(response.stopReason).not.toBe('');
});

test.each(PARAMETERS)('$given is refused for $refusedFor', (parameter) => {
  const { field, refusedFor, at = field } = parameter;
  const change = typeof refusedFor === 'string' ? { model: refusedFor } : refusedFor;
  const { error } = createAgentSchema.safeParse({ ...agentOf(parameter), ...change });
  expect(error?.issues.map(({ path }) => path.join('.'))).toContain(at);
});

test('there is no parameter that the table leaves out, and no agent has one that is not there', () => {
  const tabled = new Set(PARAMETERS.map(({ field }) => field));
  expect(Object.keys(modelParameters).filter((field) => !tabled.has(field as Parameter['field']))).toEqual(
    [],
  );
  const { error } = createAgentSchema.safeParse({ name: 'a', model: 'm', thinking_budget: 5 });
  expect(error?.issues).toMatchObject([{ code: 'unrecognized_keys', keys: ['thinking_budget'] }]);
  expect(z.object(modelParameters).shape).not.toHaveProperty('messages');
});
