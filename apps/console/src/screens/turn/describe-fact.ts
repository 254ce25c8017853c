import type { TurnFact } from '@turnpike/client';

/** An event that no step shows, in words; null for all others. */
export function describeFact(fact: TurnFact): string | null {
  switch (fact.type) {
    case 'turn.started':
      return fact.attempt > 1
        ? `Claimed again by a worker (claim ${String(fact.attempt)})`
        : 'Claimed by a worker';
    case 'step.restarted':
      return `Step ${String(fact.step_index)} began again, after what was lost of it`;
    case 'turn.requires_action':
      return `Waits for a person: ${fact.required_action.tool_calls.map(({ name }) => name).join(', ')}`;
    case 'turn.waiting_for_tool':
      return `Waits for a worker of the pool ${fact.waiting_for.pool}`;
    case 'tool.deferred':
      return `${fact.tool_call.name} asks to be called again in ${String(Math.round(fact.retry_after_ms / 1000))} s`;
    case 'tool.suspended':
      return `${fact.tool_call.name} asks a question`;
    case 'tool.child_started':
      return `${fact.tool_call.name} started a child turn`;
    case 'input.added':
      return 'A message joined the turn';
    case 'mcp.tools_changed':
      return `The MCP server ${fact.server} has other tools`;
    case 'turn.queued':
    case 'turn.completed':
    case 'turn.failed':
    case 'turn.cancelled':
    case 'turn.incomplete':
    case 'step.started':
    case 'step.completed':
    case 'tool.started':
    case 'tool.completed':
    case 'tool.step_started':
    case 'tool.step_completed':
    case 'tool.child_requires_action':
      break;
  }
  return null;
}
