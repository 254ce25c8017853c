import { createAgentSchema, createToolSchema } from '@turnpike/contract';
import type { Agent, Tool } from '@turnpike/client';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { AGENT_FIELDS, fieldsOf, TOOL_FIELDS } from './plan-changes.ts';

/** An agent as a file: what differs from the defaults. Agents that it calls are named, where `agents` has them. */
export function writeAgent(agent: Agent, agents: readonly Agent[]): string {
  const { tools, ...fields } = fieldsOf(agent, AGENT_FIELDS);
  const shown = Array.isArray(tools)
    ? { tools: tools.map((tool) => withoutNoApproval(withAgentName(tool, agents))) }
    : {};
  return write(withoutDefaults({ ...fields, ...shown }, AGENT_DEFAULTS), AGENT_FIELDS);
}

/** An HTTP tool as a file. */
export function writeTool(tool: Tool): string {
  return write(withoutDefaults(fieldsOf(tool, TOOL_FIELDS), TOOL_DEFAULTS), TOOL_FIELDS);
}

/** What a file gets that has nothing but what it must have. */
const AGENT_DEFAULTS: Record<string, unknown> = {
  metadata: {},
  ...createAgentSchema.parse({ name: '-', model: '-' }),
};
const TOOL_DEFAULTS: Record<string, unknown> = createToolSchema.parse({
  name: '-',
  description: '-',
  input_schema: { type: 'object' },
  url: 'https://tool.invalid',
});
const REQUIRED = new Set(['name', 'model', 'description', 'input_schema', 'url']);

function withoutDefaults(
  fields: Record<string, unknown>,
  defaults: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) => REQUIRED.has(name) || !isDeepStrictEqual(value, defaults[name]),
    ),
  );
}

function withAgentName(tool: Record<string, unknown>, agents: readonly Agent[]): Record<string, unknown> {
  const { type, name, agent_id: id, ...rest } = tool;
  const called = agents.find((agent) => agent.id === id);
  return type === 'agent' && called !== undefined ? { type, name, agent: called.name, ...rest } : tool;
}

function withoutNoApproval(tool: Record<string, unknown>): Record<string, unknown> {
  const { requires_approval: isRequired, ...rest } = tool;
  return isRequired === true ? tool : rest;
}

function write(fields: Record<string, unknown>, order: readonly string[]): string {
  const ordered = order.flatMap((name) => (name in fields ? [[name, fields[name]]] : []));
  // Without anchors for what is written twice, and long lines as they are.
  return stringify(Object.fromEntries(ordered), { aliasDuplicateObjects: false, lineWidth: 0 });
}
