import {
  isOfServer,
  isText,
  isToolUse,
  type ContentBlock,
  type Turn,
  type TurnFact,
} from '@turnpike/contract';
import {
  ofAgentMessage,
  ofCall,
  ofConfirmation,
  ofFact,
  ofInterrupt,
  ofMessage,
  ofResult,
} from './event-ids.ts';
import { shownBlocks } from './shown-blocks.ts';
import { errorOfTurn, stopReasonOf } from './turn-end.ts';
import type { TurnContext } from './turn-context.ts';

/** An event as the client reads it. */
export interface SessionEvent {
  id: string;
  type: string;
  processed_at: string;
  [field: string]: unknown;
}

type FactOf<Type extends TurnFact['type']> = Extract<TurnFact, { type: Type }>;
type Asked = FactOf<'turn.requires_action'>['required_action']['tool_calls'][number];
type Reference = FactOf<'tool.started'>['tool_call'];
type Step = FactOf<'step.completed'>['step'];
type Kind = 'custom' | 'mcp' | 'tool';

interface ShownCall {
  kind: Kind;
  /** It waits for this, or did. */
  awaiting: Asked['awaiting'] | null;
}

/**
 * The events of one turn, of its facts in order from the first one on. They depend on the facts and on what was said
 * alone: whoever makes them again makes the same, with the same ids.
 */
export class TurnEvents {
  readonly #context: TurnContext;
  readonly #calls = new Map<string, ShownCall>();
  /** The inputs of the newest step's calls, by the ids that the model gave them. */
  #inputs = new Map<string, unknown>();
  /** Calls that the client is asked about. */
  readonly #waiting = new Set<string>();
  #isRunning = false;
  #isWaiting = false;
  /** The next step is a round of tool calls. */
  #callsTools = false;
  /** The open span of a model request. */
  #span: string | null = null;
  #lastFactId = '';

  constructor(context: TurnContext) {
    this.#context = context;
  }

  /** The id that the message of the model call gets which follows the newest fact. */
  get messageId(): string {
    return ofAgentMessage(this.#lastFactId);
  }

  take(fact: TurnFact): SessionEvent[] {
    const events = this.#eventsOf(fact);
    this.#lastFactId = fact.id;
    return events.map(({ id, type, ...fields }) => ({ id, type, processed_at: fact.created_at, ...fields }));
  }

  #eventsOf(fact: TurnFact): Said[] {
    switch (fact.type) {
      case 'turn.queued':
        return fact.sequence_number === 1 ? this.#given(fact) : this.#expired();
      case 'input.added':
        return this.#given(fact);
      case 'turn.started':
        return this.#started(fact);
      case 'step.started':
        return this.#callsTools ? [] : this.#openSpan(fact.id);
      case 'step.restarted':
        // A round of tool calls that another worker goes on with has it too.
        return this.#callsTools ? [] : [...this.#closeSpan(fact.id, null), ...this.#openSpan(fact.id)];
      case 'step.completed':
        return this.#completed(fact);
      case 'tool.started':
        return this.#calls.has(fact.tool_call.id) ? [] : [this.#use(fact.tool_call, 'allow')];
      case 'tool.completed':
        return this.#toolCompleted(fact);
      case 'turn.requires_action':
        return this.#asked(fact);
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
      case 'turn.incomplete':
        return this.#ended(fact, fact.turn);
      // These clients have no event for them.
      case 'turn.waiting_for_tool':
      case 'mcp.tools_changed':
      case 'tool.step_started':
      case 'tool.step_completed':
      case 'tool.suspended':
      case 'tool.deferred':
      case 'tool.child_started':
      case 'tool.child_requires_action':
        break;
    }
    return [];
  }

  #given({ id }: TurnFact): Said[] {
    return (this.#context.given.get(id) ?? []).map((message) => ({
      id: ofMessage(message.id),
      type: 'user.message',
      content: shownBlocks(message.content),
    }));
  }

  #started({ id }: TurnFact): Said[] {
    // What waited was answered: calls that have no result were approved.
    const approved = [...this.#waiting].flatMap((callId) =>
      this.#calls.get(callId)?.awaiting === 'approval' ? [confirmation(callId, 'allow', null)] : [],
    );
    this.#waiting.clear();
    this.#isWaiting = false;
    const isAgain = this.#isRunning;
    this.#isRunning = true;
    const running = { id: ofFact(id, 'running'), type: 'session.status_running' };
    if (!isAgain) return [...approved, running];
    return [...approved, { id: ofFact(id, 'rescheduled'), type: 'session.status_rescheduled' }, running];
  }

  #openSpan(factId: string): Said[] {
    this.#span = ofFact(factId, 'request');
    return [{ id: this.#span, type: 'span.model_request_start' }];
  }

  /** `step`: null where the request came to nothing. */
  #closeSpan(factId: string, step: Step | null): Said[] {
    const start = this.#span;
    if (start === null) return [];
    this.#span = null;
    const { usage } = step ?? {};
    return [
      {
        id: ofFact(factId, 'request_end'),
        type: 'span.model_request_end',
        model_request_start_id: start,
        is_error: step === null || step.stop_reason === null,
        model_usage: {
          input_tokens: usage?.input_tokens ?? 0,
          output_tokens: usage?.output_tokens ?? 0,
          cache_creation_input_tokens: usage?.cache_creation_input_tokens ?? 0,
          cache_read_input_tokens: usage?.cache_read_input_tokens ?? 0,
        },
      },
    ];
  }

  #completed({ id, step }: FactOf<'step.completed'>): Said[] {
    this.#callsTools = false;
    if (step.type === 'tool_calls') return [];
    const opened = this.#span === null ? this.#openSpan(id) : [];
    const closed = this.#closeSpan(id, step);
    if (step.type === 'compaction')
      return [...opened, ...closed, { id: ofFact(id, 'compacted'), type: 'agent.thread_context_compacted' }];
    const uses = step.content.filter(isToolUse);
    this.#callsTools = uses.length > 0;
    this.#inputs = new Map(uses.map((block) => [String(block['id']), block['input']]));
    return [...opened, ...this.#said(id, step.content), ...closed];
  }

  /** What the model wrote, and what the model API ran for it meanwhile. */
  #said(factId: string, content: readonly ContentBlock[]): Said[] {
    const thinks = content.some(({ type }) => type === 'thinking' || type === 'redacted_thinking');
    const texts = content.filter(isText).map(({ text }) => ({ type: 'text', text }));
    const ran = content.flatMap((block, index) => serverEvents(block, index, factId));
    return [
      ...(thinks ? [{ id: ofFact(factId, 'thinking'), type: 'agent.thinking' }] : []),
      ...ran,
      ...(texts.length > 0 ? [{ id: this.messageId, type: 'agent.message', content: texts }] : []),
    ];
  }

  #kindOf({ name }: Pick<Reference, 'name'>): { kind: Kind; server: string } {
    const server = this.#context.mcpServers.find((each) => isOfServer(each, name));
    return server === undefined ? { kind: 'tool', server: '' } : { kind: 'mcp', server };
  }

  /** That a tool of the agent is used. */
  #use(call: Reference & { input?: unknown }, permission: 'allow' | 'ask' | 'deny'): Said {
    const { kind, server } = this.#kindOf(call);
    this.#calls.set(call.id, { kind, awaiting: null });
    const policies = { allow: 'always_allow', ask: 'always_ask' };
    return {
      id: ofCall(call.id),
      type: kind === 'mcp' ? 'agent.mcp_tool_use' : 'agent.tool_use',
      ...(kind === 'mcp'
        ? { mcp_server_name: server, name: call.name.slice(server.length + '__'.length) }
        : { name: call.name }),
      input: inputOf(call.input ?? this.#inputs.get(call.tool_use_id)),
      evaluated_permission: permission,
      ...(permission === 'deny' ? {} : { evaluation: { type: policies[permission] } }),
    };
  }

  #asked({ id, required_action: { tool_calls: asked } }: FactOf<'turn.requires_action'>): Said[] {
    const events: Said[] = [];
    for (const call of asked) {
      const { awaiting } = call;
      const known = this.#calls.get(call.id);
      this.#waiting.add(call.id);
      if (known !== undefined) known.awaiting = awaiting;
      else if (awaiting === 'output') {
        this.#calls.set(call.id, { kind: 'custom', awaiting });
        const input = inputOf(call.input);
        events.push({ id: ofCall(call.id), type: 'agent.custom_tool_use', name: call.name, input });
      } else {
        events.push(this.#use(call, 'ask'));
        Object.assign(this.#calls.get(call.id) ?? {}, { awaiting });
      }
    }
    this.#isRunning = false;
    this.#isWaiting = true;
    return [...events, this.#idleFor(id)];
  }

  #idleFor(factId: string): Said {
    const reason = { type: 'requires_action', event_ids: [...this.#waiting].map(ofCall) };
    return idle(factId, reason);
  }

  #toolCompleted({ id, tool_call: call }: FactOf<'tool.completed'>): Said[] {
    const known = this.#calls.get(call.id);
    const wasAsked = this.#isWaiting && this.#waiting.delete(call.id);
    // A call that was never made, such as one whose input does not fit its tool: nobody is to run it now.
    if (known === undefined) return [this.#use(call, 'deny'), this.#result(call, this.#kindOf(call).kind)];
    const remaining = wasAsked && this.#waiting.size > 0 ? [this.#idleFor(id)] : [];
    if (known.kind === 'custom') {
      // Otherwise the turn ended, or nobody answered: the client said nothing.
      if (!wasAsked) return [];
      const answer = {
        id: ofResult(call.id),
        type: 'user.custom_tool_result',
        custom_tool_use_id: ofCall(call.id),
        content: shownBlocks(call.output ?? []),
        is_error: call.is_error,
      };
      return [answer, ...remaining];
    }
    const denied = wasAsked && known.awaiting === 'approval';
    const said = denied ? [confirmation(call.id, 'deny', messageOf(call.output))] : [];
    return [...said, this.#result(call, known.kind), ...remaining];
  }

  #result(call: Pick<FactOf<'tool.completed'>['tool_call'], 'id' | 'output' | 'is_error'>, kind: Kind): Said {
    const ofMcp = kind === 'mcp';
    return {
      id: ofResult(call.id),
      type: ofMcp ? 'agent.mcp_tool_result' : 'agent.tool_result',
      [ofMcp ? 'mcp_tool_use_id' : 'tool_use_id']: ofCall(call.id),
      content: call.output === null ? UNKNOWN : shownBlocks(call.output),
      is_error: call.is_error || call.output === null,
    };
  }

  /** Nobody answered in time. */
  #expired(): Said[] {
    const denied = [...this.#waiting].flatMap((callId) => {
      const kind = this.#calls.get(callId)?.kind ?? 'tool';
      return kind === 'custom' ? [] : [this.#result({ id: callId, output: EXPIRED, is_error: true }, kind)];
    });
    this.#waiting.clear();
    this.#isWaiting = false;
    return denied;
  }

  #ended({ id }: TurnFact, turn: Turn): Said[] {
    const closed = this.#closeSpan(id, null);
    const interrupted =
      turn.status === 'cancelled' ? [{ id: ofInterrupt(turn.id), type: 'user.interrupt' }] : [];
    const error = errorOfTurn(turn);
    const failed = error === null ? [] : [{ id: ofFact(id, 'error'), type: 'session.error', error }];
    return [...closed, ...interrupted, ...failed, idle(id, stopReasonOf(turn))];
  }
}

interface Said {
  id: string;
  type: string;
  [field: string]: unknown;
}

const EXPIRED: ContentBlock[] = [{ type: 'text', text: 'Nobody answered in time.' }];
const UNKNOWN = [{ type: 'text', text: 'Whether the call acted is unknown.' }];

function idle(factId: string, reason: { type: string }): Said {
  return {
    id: ofFact(factId, 'idle'),
    type: 'session.status_idle',
    stop_reason: reason,
    stop_details: reason.type === 'refusal' ? { type: 'refusal', category: null, explanation: null } : null,
  };
}

const confirmation = (callId: string, result: 'allow' | 'deny', message: string | null): Said => ({
  id: ofConfirmation(callId),
  type: 'user.tool_confirmation',
  tool_use_id: ofCall(callId),
  result,
  deny_message: message,
});

function messageOf(output: readonly ContentBlock[] | null): string | null {
  const [text] = (output ?? []).filter(isText);
  return text?.text ?? null;
}

/** An input that is no object is shown as the one entry of one. */
function inputOf(input: unknown): object {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input;
  return input === null || input === undefined ? {} : { value: input };
}

/** A tool that the model API ran in the model call, and its result, without its content. */
function serverEvents(block: ContentBlock, index: number, factId: string): Said[] {
  const { type } = block;
  if (type === 'server_tool_use') {
    const id = ofFact(factId, `use_${String(block['id'])}`);
    const input = inputOf(block['input']);
    return [
      { id, type: 'agent.tool_use', name: String(block['name']), input, evaluated_permission: 'allow' },
    ];
  }
  const useId = block['tool_use_id'];
  if (!type.endsWith('_tool_result') || typeof useId !== 'string') return [];
  const id = ofFact(factId, `result_${index}`);
  return [{ id, type: 'agent.tool_result', tool_use_id: ofFact(factId, `use_${useId}`), content: [] }];
}
