import { textOf, type ContentBlock, type RequiredAction, type Turn, type TurnFact } from '@turnpike/contract';
import { encodeData, type StreamEncoder, type TextPreview } from '@turnpike/dialect-base';
import type { ChatSource } from './chat-source.ts';
import type { Chunk } from './chunks.ts';
import { filesIn, showStep, valueOf, type ShownStep } from './shown-step.ts';
import {
  endMetadata,
  errorTextOf,
  finishReasonOf,
  NO_RESULT,
  startMetadata,
  UNKNOWN,
} from './turn-metadata.ts';

const DONE = 'data: [DONE]\n\n';

type Fact<Type extends TurnFact['type']> = Extract<TurnFact, { type: Type }>;

/**
 * The events of a turn as a UI message stream. The turn is one message of the assistant, and each model call with its
 * tools a step of it.
 *
 * The text that a model is writing is shown as it comes. Where its call is made again, the new text goes on after what
 * was shown, if it begins with that; otherwise `reset-step` takes back what the step has shown.
 */
export class ChatEncoder implements StreamEncoder {
  readonly #source: ChatSource;
  /** The client has what was sent up to this event: a wait of the turn. 0: nothing. */
  readonly #from: number;
  /** Waits up to this event were answered: the stream goes on after them. */
  readonly #passed: number;
  /** Tools that run here, and have no result yet. */
  readonly #openCalls = new Map<string, { isOurs: boolean }>();
  /** What the turn waits for, as `data-action` shows it. */
  readonly #actions = new Map<string, Record<string, unknown>>();
  #stepIndex = -1;
  #isStepOpen = false;
  /** Whether a step began after what the client has. */
  #hasStep = false;
  /** The model call that was begun last. */
  #attempt = { number: 0, stepIndex: -1 };
  /** The text of the step, as far as it was shown. */
  #text: { id: string; reasoningId: string | null; shown: string } | null = null;
  #isSilent: boolean;
  #frames = '';
  ended = false;
  /** A client that gets a whole response takes it for the whole message, and does not resume. */
  readonly cutsUnfinished = true;

  constructor(source: ChatSource, { from, passed }: { from: number; passed: number }) {
    this.#source = source;
    this.#from = from;
    this.#passed = passed;
    this.#isSilent = from > 0;
  }

  begin(): string {
    const { turn } = this.#source;
    return encodeData({
      type: 'start',
      messageId: turn.id,
      messageMetadata: startMetadata(turn),
    } satisfies Chunk);
  }

  fact(fact: TurnFact): string {
    if (!this.ended) this.#read(fact);
    return this.#take();
  }

  preview({ attempt, text }: TextPreview): string {
    const { number, stepIndex } = this.#attempt;
    if (this.ended || this.#isSilent || attempt !== number || text === '') return '';
    this.#beginStep(stepIndex);
    this.#show(text, false);
    return this.#take();
  }

  #read(fact: TurnFact): void {
    switch (fact.type) {
      case 'step.started':
      case 'step.restarted':
        // A step of the message begins with what it shows: a round of tool calls shows nothing of its own.
        this.#attempt = { number: fact.sequence_number, stepIndex: fact.step_index };
        return;
      case 'step.completed':
        if (fact.step.type !== 'model_call') return;
        this.#beginStep(fact.step.index);
        this.#completeStep(fact.step.content);
        return;
      case 'tool.completed':
        this.#settleCall(fact);
        return;
      case 'tool.child_started':
      case 'tool.child_requires_action':
        this.#send({
          type: 'data-turn',
          data: {
            event: fact.type,
            tool_call_id: fact.tool_call.id,
            child_turn_id: fact.child_turn_id,
            child_session_id: fact.child_session_id,
          },
          transient: true,
        });
        return;
      case 'turn.waiting_for_tool':
        this.#send({
          type: 'data-turn',
          data: { event: fact.type, waiting_for: fact.waiting_for },
          transient: true,
        });
        return;
      case 'turn.requires_action':
        this.#wait(fact);
        return;
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
      case 'turn.incomplete':
        this.#end(fact.turn);
        return;
      // What happens in between is nothing that a message shows.
      case 'turn.queued':
      case 'turn.started':
      case 'tool.started':
      case 'tool.step_started':
      case 'tool.step_completed':
      case 'tool.suspended':
      case 'tool.deferred':
      case 'input.added':
      case 'mcp.tools_changed':
        return;
      default:
        fact satisfies never;
    }
  }

  #beginStep(index: number): void {
    if (index === this.#stepIndex) return;
    this.#closeStep();
    this.#stepIndex = index;
    this.#openStep();
  }

  #openStep(): void {
    this.#isStepOpen = true;
    this.#hasStep ||= !this.#isSilent;
    this.#send({ type: 'start-step' });
  }

  #closeStep(): void {
    this.#closeText('');
    if (this.#isStepOpen) this.#send({ type: 'finish-step' });
    this.#isStepOpen = false;
  }

  /** Shows the text of the step as far as it is new; `isWhole`: there is no more to come. */
  #show(text: string, isWhole: boolean): void {
    const shown = this.#text?.shown ?? '';
    if (!text.startsWith(shown)) {
      // It may still become the same.
      if (!isWhole && shown.startsWith(text)) return;
      this.#send({ type: 'reset-step' });
      this.#text = null;
    }
    if (text === '') return;
    this.#text ??= this.#openText();
    const delta = text.slice(this.#text.shown.length);
    if (delta === '') return;
    this.#send({ type: 'text-delta', id: this.#text.id, delta });
    this.#text.shown = text;
  }

  #openText(): { id: string; reasoningId: string | null; shown: string } {
    const id = `text-${this.#stepIndex}`;
    const reasoningId = this.#source.thinks ? this.#reasoningId : null;
    if (reasoningId !== null) this.#send({ type: 'reasoning-start', id: reasoningId });
    this.#send({ type: 'text-start', id });
    return { id, reasoningId, shown: '' };
  }

  get #reasoningId(): string {
    return `reasoning-${this.#stepIndex}`;
  }

  #closeText(reasoning: string): void {
    const text = this.#text;
    if (text === null) return;
    this.#text = null;
    if (text.reasoningId !== null) this.#endReasoning(text.reasoningId, reasoning);
    this.#send({ type: 'text-end', id: text.id });
  }

  #endReasoning(id: string, reasoning: string): void {
    if (reasoning !== '') this.#send({ type: 'reasoning-delta', id, delta: reasoning });
    this.#send({ type: 'reasoning-end', id });
  }

  #completeStep(content: readonly ContentBlock[]): void {
    const { turn } = this.#source;
    const step = showStep(turn.id, this.#stepIndex, content, this.#source);
    this.#show(step.text, true);
    const wasOpen = this.#text?.reasoningId != null;
    this.#closeText(step.reasoning ?? '');
    if (step.reasoning !== null && !wasOpen) {
      this.#send({ type: 'reasoning-start', id: this.#reasoningId });
      this.#endReasoning(this.#reasoningId, step.reasoning);
    }
    this.#showCalls(step);
    for (const source of step.sources) this.#send(source);
  }

  #showCalls({ calls }: ShownStep): void {
    for (const { toolCallId, toolName, input, isOurs, result } of calls) {
      const ours = isOurs ? ({ providerExecuted: true } as const) : {};
      this.#send({ type: 'tool-input-available', toolCallId, toolName, input, ...ours });
      if (result === undefined) this.#openCalls.set(toolCallId, { isOurs });
      else this.#send({ type: 'tool-output-available', toolCallId, output: result, ...ours });
    }
  }

  #settleCall({ tool_call: call }: Fact<'tool.completed'>): void {
    const { id, tool_use_id: toolCallId, output, is_error: isError } = call;
    const open = this.#openCalls.get(toolCallId);
    if (open === undefined) return;
    this.#openCalls.delete(toolCallId);
    const ours = open.isOurs ? ({ providerExecuted: true } as const) : {};
    const action = this.#actions.get(id);
    if (action !== undefined) this.#send({ type: 'data-action', id, data: { ...action, settled: true } });
    if (output === null || isError) {
      const errorText = output === null ? UNKNOWN : textOf(output);
      this.#send({ type: 'tool-output-error', toolCallId, errorText, ...ours });
      return;
    }
    this.#send({ type: 'tool-output-available', toolCallId, output: valueOf(output), ...ours });
    for (const { mediaType, url } of filesIn(output, this.#source.origin))
      this.#send({ type: 'file', mediaType, url });
  }

  #wait({ sequence_number: number, required_action: action }: Fact<'turn.requires_action'>): void {
    for (const call of action.tool_calls) {
      if (call.awaiting === 'outcome' || call.awaiting === 'answer') {
        const data = actionData(call);
        this.#actions.set(call.id, data);
        this.#send({ type: 'data-action', id: call.id, data });
      } else if (call.awaiting === 'approval' && number > this.#passed) {
        this.#send({ type: 'tool-approval-request', approvalId: call.id, toolCallId: call.tool_use_id });
      }
    }
    if (number === this.#from) {
      this.#closeStep();
      this.#isSilent = false;
    }
    if (number <= this.#passed) return;
    this.#closeStep();
    this.#finish({
      type: 'finish',
      finishReason: 'tool-calls',
      messageMetadata: { status: 'requires_action' },
    });
  }

  #end(turn: Turn): void {
    this.#closeText('');
    for (const [toolCallId, { isOurs }] of this.#openCalls) {
      const ours = isOurs ? ({ providerExecuted: true } as const) : {};
      this.#send({ type: 'tool-output-error', toolCallId, errorText: NO_RESULT, ...ours });
    }
    // A client that sends responses by itself looks at the last step, and would send those of the step before again.
    if (this.#from > 0 && !this.#hasStep) this.#openStep();
    this.#closeStep();
    if (turn.status === 'failed') return this.#finish({ type: 'error', errorText: errorTextOf(turn) });
    if (turn.status === 'cancelled') this.#send({ type: 'abort', reason: 'The turn was cancelled.' });
    this.#finish({
      type: 'finish',
      finishReason: finishReasonOf(turn),
      messageMetadata: endMetadata(turn),
    });
  }

  #finish(last: Chunk): void {
    this.#isSilent = false;
    this.#send(last);
    this.#frames += DONE;
    this.ended = true;
  }

  #send(chunk: Chunk): void {
    if (!this.#isSilent) this.#frames += encodeData(chunk);
  }

  #take(): string {
    const frames = this.#frames;
    this.#frames = '';
    return frames;
  }
}

/** What a call waits for, for a part of a message. */
export function actionData({
  id,
  tool_use_id: toolCallId,
  name,
  awaiting,
  question,
}: RequiredAction['tool_calls'][number]): Record<string, unknown> {
  return { tool_call_id: id, toolCallId, toolName: name, awaiting, question };
}
