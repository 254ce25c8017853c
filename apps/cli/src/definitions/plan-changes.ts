import { createAgentSchema, createToolSchema, type CreateAgent, type CreateTool } from '@turnpike/contract';
import type { Agent, Tool } from '@turnpike/client';
import type { Definition } from './definition.ts';
import { describeMistake } from './definition.ts';
import { findChanges, type Change } from './find-changes.ts';

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
  planned: Planned[];
  mistakes: string[];
}

/**
 * Compares definitions with what is there. An agent is found by its name; where several have it, that is a mistake,
 * since it is not known which one is meant.
 */
export function planChanges(definitions: readonly Definition[], { agents, tools }: Existing): Plan {
  const plan: Plan = { planned: [], mistakes: [] };
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
    const before = existing === null ? {} : fieldsOf(existing, AGENT_FIELDS);
    const changes = findChanges(before, fieldsOf(definition.value, AGENT_FIELDS));
    plan.planned.push({ definition, existing, changes });
  }
  return plan;
}

export const AGENT_FIELDS = fieldNames(createAgentSchema.shape);
export const TOOL_FIELDS = fieldNames(createToolSchema.shape);

/**
 * The fields that a file can set, as JSON has them. Those that a newer service adds are neither compared nor changed.
 * Metadata that is left out is no metadata.
 */
export function fieldsOf(
  value: Agent | Tool | CreateAgent | CreateTool,
  names: readonly string[],
): Record<string, unknown> {
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
