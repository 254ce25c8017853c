import { textOf } from '@turnpike/contract';
import type { ContentBlock, Turn, TurnEvent } from '@turnpike/client';

const MOST_CHARACTERS = 160;
const MICROS = 1_000_000;

/** An event of a turn as lines for a terminal: what happened, then the details. Most events of a step have none. */
export function describeEvent(event: TurnEvent): string[] {
  switch (event.type) {
    case 'turn.queued':
      return [line('accepted', event.turn_id)];
    case 'turn.started':
      return event.attempt > 1 ? [line('claimed again', `attempt ${event.attempt}`)] : [];
    case 'step.restarted':
      return [line('model again', 'the call before was interrupted')];
    case 'step.completed':
      return describeStep(event.step.content);
    case 'tool.completed': {
      const { name, status, is_error: isError, output } = event.tool_call;
      if (status === 'unknown') return [line('outcome ?', `of ${name} is unknown`)];
      return [line(isError ? 'tool error' : 'tool', `${name}: ${cut(textOf(output ?? []))}`)];
    }
    case 'input.added':
      return [line('joined', 'a message')];
    case 'mcp.tools_changed': {
      const { server, added, changed, removed } = event;
      return [line('mcp tools', cut(`${server} changed ${[...added, ...changed, ...removed].join(', ')}`))];
    }
    case 'turn.requires_action':
      return event.required_action.tool_calls.map(({ name, awaiting }) =>
        line('waits', `${name}: ${awaiting}`),
      );
    case 'turn.completed':
    case 'turn.failed':
    case 'turn.cancelled':
    case 'turn.incomplete':
      return [describeEnd(event.turn)];
    case 'tool.step_completed':
      return [
        line('tool step', `${event.tool_call.name}, ${event.tool_step.name}: ${event.tool_step.status}`),
      ];
    case 'tool.progress':
      return [line('progress', cut(describeProgress(event.progress)))];
    case 'tool.suspended':
      return [line('asks', event.tool_call.name)];
    case 'turn.waiting_for_tool':
      return [line('waits', 'no worker that runs now has its tools')];
    case 'tool.child_started':
      return [line('sub-agent', `${event.tool_call.name}: a turn of its own`)];
    case 'tool.child_requires_action':
      return [line('sub-agent', `${event.tool_call.name}: ${event.child_turn_id} requires an action`)];
    case 'tool.deferred':
      return [line('deferred', `${event.tool_call.name}: it is called again later`)];
    case 'step.started':
    case 'tool.started':
    case 'tool.step_started':
    case 'message.delta':
      return [];
    default:
      return describeOther(event);
  }
}

/** Events that are newer than this command. */
function describeOther(event: { type: string }): string[] {
  return [line(event.type, '')];
}

function describeProgress(progress: string | number): string {
  return typeof progress === 'string' ? progress : `${Math.round(progress * 100)} %`;
}

function describeStep(content: readonly ContentBlock[]): string[] {
  return content.flatMap((block) => {
    if (block.type === 'text') return [line('text', cut(textOf([block])))];
    if (block.type !== 'tool_use') return [];
    return [line('calls', `${String(block['name'])} ${cut(JSON.stringify(block['input']) ?? '')}`)];
  });
}

function describeEnd(turn: Turn): string {
  const { status, total_cost_micros: cost, usage, error, created_at: from, finished_at: to } = turn;
  const took = to === null ? '' : `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s, `;
  const tokens = usage.input_tokens + usage.output_tokens;
  const why = error === null ? '' : `${error.code}: ${cut(error.message)}; `;
  return line(status, `${why}${took}${tokens} tokens, $${(cost / MICROS).toFixed(4)}`);
}

function line(what: string, details: string): string {
  return `${what.padEnd(11)}  ${details}`.trimEnd();
}

function cut(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length > MOST_CHARACTERS ? `${flat.slice(0, MOST_CHARACTERS)}…` : flat;
}
