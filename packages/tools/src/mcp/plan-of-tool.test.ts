import { expect, test } from '@jest/globals';
import { mcpServerConfigSchema, type McpListedTool, type McpServerConfig } from '@turnpike/contract';
import { planOfTool } from './plan-of-tool.ts';

const configOf = (more: object = {}): McpServerConfig =>
  mcpServerConfigSchema.parse({ url: 'https://mcp.example/', ...more });
const toolWith = (annotations: McpListedTool['annotations'], name = 'a'): McpListedTool => ({
  name,
  description: 'd',
  input_schema: { type: 'object' },
  annotations,
  hash: 'h',
});

test.each([
  [{ readOnlyHint: true }, 'read', false],
  [{ idempotentHint: true }, 'idempotent', false],
  [{ readOnlyHint: false, idempotentHint: false }, 'once', false],
  [{}, 'once', false],
  [{ destructiveHint: true }, 'once', true],
  [{ destructiveHint: true, idempotentHint: true }, 'idempotent', true],
  // A tool that only reads destroys nothing: the hint has no meaning then.
  [{ destructiveHint: true, readOnlyHint: true }, 'read', false],
] as const)('the annotations %j make a tool %s', (annotations, effect, needsApproval) => {
  expect(planOfTool(toolWith(annotations), configOf())).toMatchObject({ effect, needsApproval });
});

test('annotations that are ignored make no call repeatable, and still ask for approval', () => {
  const config = configOf({ annotations: 'ignore' });
  expect(planOfTool(toolWith({ readOnlyHint: true }), config).effect).toBe('once');
  expect(planOfTool(toolWith({ destructiveHint: true }), config).needsApproval).toBe(true);
  // A hint that is not believed does not take the approval away.
  const both = toolWith({ destructiveHint: true, readOnlyHint: true });
  expect(planOfTool(both, config).needsApproval).toBe(true);
  expect(planOfTool(both, configOf({})).needsApproval).toBe(false);
  const other = configOf({ annotations: 'ignore', effect: 'read' });
  expect(planOfTool(toolWith({}), other).effect).toBe('read');
});

test("the server's overrides win over the agent's, and those over annotations", () => {
  const config = configOf({
    overrides: { a: { effect: 'once', requires_approval: true } },
    timeout_ms: 5_000,
  });
  const overrides = { a: { effect: 'read' as const, requires_approval: false, timeout_ms: 700 } };
  expect(planOfTool(toolWith({ readOnlyHint: true }), config, overrides)).toEqual({
    effect: 'once',
    needsApproval: true,
    onUnknown: 'tell_model',
    timeoutMs: 700,
  });
  expect(planOfTool(toolWith({}), configOf({ requires_approval: true }), overrides)).toMatchObject({
    effect: 'read',
    needsApproval: false,
  });
});

test.each(['constructor', '__proto__', 'toString'])('a tool named %s has no overrides of its own', (name) => {
  expect(planOfTool(toolWith({}, name), configOf(), {})).toMatchObject({ effect: 'once', timeoutMs: 60_000 });
});
