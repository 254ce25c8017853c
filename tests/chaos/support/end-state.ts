import type { ChaosCluster } from './chaos-cluster.ts';
import { TOOL_EFFECTS } from './effect-server.ts';
import type { StoredCall, StoredTurn } from './read-truth.ts';
import type { PlannedTurn } from './workload.ts';

/**
 * How a turn ended: its status, steps, messages, calls and what these did, without what is its own (ids
 * and its marker), and without what became of the call that may be sent only once.
 */
export function endStateOf(turn: StoredTurn, { marker }: PlannedTurn, chaos: ChaosCluster): unknown {
  const { status, stopReason, output, steps, messages, toolCalls } = turn;
  const onceId = toolUseOf(turn, 'once');
  const end = {
    status,
    stopReason,
    output,
    steps: steps.map((step) => [step.index, step.type, step.stopReason]),
    messages: messages.map(({ role, content }) => [role, content.filter((block) => !answers(block, onceId))]),
    calls: toolCalls.map((call) => [call.name, call.input, call.name === 'once' ? null : outcomeOf(call)]),
    acts: TOOL_EFFECTS.filter((effect) => effect !== 'once').map((effect) => [
      effect,
      chaos.effects.acts(effect, marker).length,
    ]),
  };
  const text = JSON.stringify(end)
    .replaceAll(marker, 'MARKER')
    .replaceAll(/toolu_\w+/g, 'toolu');
  return JSON.parse(text) as unknown;
}

export function outcomeOf({ status, isError, output }: StoredCall): unknown {
  return [status, isError, output?.map((block) => block.text)];
}

function toolUseOf({ messages }: StoredTurn, name: string): string | undefined {
  return messages.flatMap((message) => message.content).find((block) => block.name === name)?.id;
}

function answers(block: StoredTurn['messages'][number]['content'][number], toolUseId?: string): boolean {
  return toolUseId !== undefined && block.tool_use_id === toolUseId;
}
