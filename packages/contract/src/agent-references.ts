import type { z } from 'zod';
import { createAgentSchema, type CreateAgent } from './agents.ts';
import { newId } from './ids.ts';

/**
 * An agent that is a tool of another one, named in a file or in code: `agent: research`. The API takes its id, which
 * differs between installations.
 */
export interface AgentReference {
  /** The place of the tool among the agent's tools. */
  index: number;
  /** Of the agent that is called. */
  agent: string;
}

/** A definition of an agent: the body for the API, but for the ids of the agents in `references`. */
export interface ParsedAgent {
  body: CreateAgent;
  references: AgentReference[];
}

/** Reads an agent of a file or of code as the API would, where its tools may name other agents. */
export function parseAgent(
  given: unknown,
): { success: true; data: ParsedAgent } | { success: false; error: z.ZodError } {
  const tools = toolsOf(given);
  const references = tools.flatMap((tool, index) => {
    const agent = nameIn(tool);
    return agent === null ? [] : [{ index, agent }];
  });
  const withIds = tools.map((tool) => (nameIn(tool) === null ? tool : withId(tool, newId('agent'))));
  const parsed = createAgentSchema.safeParse(
    references.length === 0 ? given : { ...asObject(given), tools: withIds },
  );
  return parsed.success ? { success: true, data: { body: parsed.data, references } } : parsed;
}

/** The body with each reference in place of the id that stands for it. */
export function nameAgents({ body, references }: ParsedAgent): Record<string, unknown> {
  const names = new Map(references.map(({ index, agent }) => [index, agent]));
  return { ...body, tools: body.tools.map((tool, index) => withName(tool, names.get(index))) };
}

/** Null for a tool that names no agent, or that has an id. */
function nameIn(tool: unknown): string | null {
  const { type, agent, agent_id: id } = asObject(tool);
  return type === 'agent' && id === undefined && typeof agent === 'string' && agent !== '' ? agent : null;
}

function withId(tool: unknown, id: string): Record<string, unknown> {
  const { agent: _agent, ...rest } = asObject(tool);
  return { ...rest, agent_id: id };
}

function withName(tool: object, agent: string | undefined): object {
  if (agent === undefined) return tool;
  const { agent_id: _id, ...rest } = tool as Record<string, unknown>;
  return { ...rest, agent };
}

function toolsOf(given: unknown): unknown[] {
  const { tools } = asObject(given);
  return Array.isArray(tools) ? tools : [];
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
