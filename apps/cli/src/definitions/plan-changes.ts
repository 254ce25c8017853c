import { createAgentSchema, createToolSchema, nameAgents } from '@turnpike/contract';
import type { Agent, Tool } from '@turnpike/client';
import type { Definition } from './definition.ts';
import { describeMistake } from './definition.ts';
import { findChanges, type Change } from './find-changes.ts';
import { calledFirst, type AgentDefinition } from './resolve-agents.ts';

/** What is on the service. */
export interface Existing {
  agents: readonly Agent[];
  tools: readonly Tool[];
}

/** What becomes of one definition. `existing` is null where it is new. */
export type Planned =
  | { definition: Extract<Definition, { kind: 'agent' }>; existing: Agent | null; changes: Change[] }
  | { definition: Extract<Definition, { kind: 'tool' }>; existing: Tool | null; changes: Change[] };

export interface Plan {
  /** In the order in which they can be made: tools first, and an agent after those that it calls. */
  planned: Planned[];
  mistakes: string[];
  /** The ids of the agents that are there by their names, where only one has it. */
  ids: Map<string, string>;
}

/**
 * Compares definitions with what is there. An agent is found by its name; where several have it, that is a mistake,
 * since it is not known which one is meant.
 */
export function planChanges(definitions: readonly Definition[], { agents, tools }: Existing): Plan {
  const plan: Plan = { planned: [], mistakes: [], ids: uniqueIds(agents) };
  for (const definition of definitions) {
    if (definition.kind === 'tool') {
      const existing = tools.find(({ name }) => name === definition.name) ?? null;
      const before = existing === null ? {} : fieldsOf(existing, TOOL_FIELDS);
      const changes = findChanges(before, fieldsOf(definition.value, TOOL_FIELDS));
      plan.planned.push({ definition, existing, changes });
      continue;
    }
    const [existing = null, ...others] = agents.filter(({ name }) => name === definition.name);
    if (existing !== null && others.length > 0) {
      const ids = [existing, ...others].map(({ id }) => id).join(', ');
      const message = `several agents have this name: ${ids}; rename or delete all but one`;
      plan.mistakes.push(describeMistake(definition.origin, 'name', message));
      continue;
    }
    plan.mistakes.push(...findUnknown(definition, definitions, agents));
    plan.planned.push({ definition, existing, changes: changesOf(existing, definition, agents) });
  }
  return { ...plan, planned: calledFirst(plan.planned) };
}

/** What differs. Agents that the definition calls by their names are compared by these. */
export function changesOf(
  existing: Agent | null,
  definition: AgentDefinition,
  agents: readonly Agent[],
): Change[] {
  const { value, references } = definition;
  const byName = new Set(references.map(({ index }) => value.tools[index]).map((tool) => nameOf(tool)));
  const after = fieldsOf(nameAgents({ body: value, references }), AGENT_FIELDS);
  if (existing === null) return findChanges({}, after);
  const tools = existing.tools.map((tool) => {
    if (tool.type !== 'agent' || !byName.has(tool.name)) return tool;
    const { agent_id: id, ...rest } = tool;
    return { ...rest, agent: agents.find((agent) => agent.id === id)?.name ?? id };
  });
  return findChanges(fieldsOf({ ...existing, tools }, AGENT_FIELDS), after);
}

function nameOf(tool: unknown): string {
  return typeof tool === 'object' && tool !== null && 'name' in tool ? String(tool.name) : '';
}

/** Agents that it calls, and that are in no file and not at the service, or there more than once. */
function findUnknown(
  { origin, references }: AgentDefinition,
  definitions: readonly Definition[],
  agents: readonly Agent[],
): string[] {
  return references.flatMap(({ index, agent }) => {
    if (definitions.some(({ kind, name }) => kind === 'agent' && name === agent)) return [];
    const there = agents.filter(({ name }) => name === agent).length;
    if (there === 1) return [];
    const message =
      there === 0
        ? `there is no agent ${agent}, in no file and not at the service`
        : `several agents are called ${agent}`;
    return [describeMistake(origin, `tools.${index}.agent`, message)];
  });
}

function uniqueIds(agents: readonly Agent[]): Map<string, string> {
  const once = agents.filter(
    ({ id, name }) => !agents.some((other) => other.name === name && other.id !== id),
  );
  return new Map(once.map(({ name, id }) => [name, id]));
}

export const AGENT_FIELDS = fieldNames(createAgentSchema.shape);
export const TOOL_FIELDS = fieldNames(createToolSchema.shape);

/**
 * The fields that a file can set, as JSON has them. Those that a newer service adds are neither compared nor changed.
 * Metadata that is left out is no metadata.
 */
export function fieldsOf(value: object, names: readonly string[]): Record<string, unknown> {
  const plain = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
  const withMetadata = names.includes('metadata') ? { metadata: {}, ...plain } : plain;
  return Object.fromEntries(
    names.flatMap((name) => (name in withMetadata ? [[name, withMetadata[name]]] : [])),
  );
}

/** The name first, as in a file. */
function fieldNames(shape: object): string[] {
  return [...new Set(['name', ...Object.keys(shape)])];
}
