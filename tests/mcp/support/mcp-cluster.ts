import type { McpServer, stepSchema, Turn, TurnFact } from '@turnpike/contract';
import type { z } from 'zod';
import type { Cluster } from '../../support/cluster.ts';

type Step = z.infer<typeof stepSchema>;
type ToolCall = NonNullable<Step['tool_calls']>[number];

/** Registers an MCP server, and returns it. */
export async function registerServer(
  cluster: Cluster,
  name: string,
  url: string,
  config: Record<string, unknown> = {},
): Promise<McpServer> {
  const { status, body } = await cluster.request('POST', '/v1/mcp_servers', { name, url, ...config });
  if (status !== 201) throw new Error(`The server was refused: ${JSON.stringify(body)}`);
  return body as McpServer;
}

/** Submits a turn whose model makes these calls at once, and then says what the last gave. */
export async function callTools(
  cluster: Cluster,
  agentId: string,
  uses: readonly { name: string; input?: Record<string, unknown> }[],
): Promise<Turn> {
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: uses.map(({ name, input = {} }) => ({ name, input })) } },
      { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
    ],
  });
  return cluster.submit({ agentId }, 'Do it.');
}

/** The tool calls of a turn, with their outputs. */
export async function callsOf(cluster: Cluster, turnId: string): Promise<ToolCall[]> {
  const { body } = await cluster.request('GET', `/v1/turns/${turnId}/steps`);
  return (body as { items: Step[] }).items.flatMap((step) => step.tool_calls ?? []);
}

/** The text of the one call of a turn that has ended. */
export async function outputOf(cluster: Cluster, turnId: string): Promise<string> {
  const [call] = await callsOf(cluster, turnId);
  return textOf(call);
}

/** The texts of a call's output, and the types of its other blocks. */
export function textOf(call: ToolCall | undefined): string {
  return (call?.output ?? [])
    .map((block) => (typeof block['text'] === 'string' ? block['text'] : block.type))
    .join('\n');
}

export async function eventsOf(cluster: Cluster, turnId: string): Promise<TurnFact[]> {
  const { body } = await cluster.request('GET', `/v1/turns/${turnId}/events?limit=100`, undefined, {
    accept: 'application/json',
  });
  return (body as { items: TurnFact[] }).items;
}

/** Answers the question that a turn waits with. */
export async function answer(cluster: Cluster, turn: Turn, given: unknown): Promise<number> {
  const id = turn.required_action?.tool_calls[0]?.id;
  const { status } = await cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: id, answer: given }],
  });
  return status;
}
