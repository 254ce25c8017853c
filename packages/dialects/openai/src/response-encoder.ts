import type { RequiredAction, stepSchema, TurnFact, Usage } from '@turnpike/contract';
import { encodeFrame, type StreamEncoder, type TextPreview } from '@turnpike/dialect-base';
import type { z } from 'zod';
import { FIRST, isTextOf, ofFact, ofText } from './event-numbers.ts';
import {
  callsIn,
  messageItem,
  reasoningItem,
  saidIn,
  textPart,
  withResult,
  type FunctionCallItem,
  type McpCallItem,
  type MessageItem,
  type OutputItem,
  type ReasoningItem,
} from './items.ts';
import { bodyOf, statusOf, sumOf, type ResponseSource } from './response.ts';
import { endOfPiece } from './text-pieces.ts';

type Step = Omit<z.infer<typeof stepSchema>, 'tool_calls'>;

/** The text that the model is writing, as far as this stream has shown it. */
interface OpenMessage {
  outputIndex: number;
  itemId: string;
  reasoningIndex: number | null;
  /** All that was shown, and in how many pieces. */
  text: string;
  pieces: number;
  /** The attempt at the step that it was shown of. */
  attempt: number;
}

/** Sends an event of what happens now, with the next number of it. */
type Say = (type: string, fields: object) => void;

/** In the numbers of a text: how many are of its item, before its pieces. */
const OPENING = 3;

const RESTARTED = {
  code: 'stream_restarted',
  message:
    'The model call was made again, and wrote another text. Discard what you have of this response, and read the stream from its beginning.',
};

/**
 * The events of one response. Those with numbers up to `after` are not sent: the client has them.
 *
 * What a model call has written is void where the call is made again (`step.restarted`). The stream goes on where the
 * new text begins with what was shown; where it does not, it ends with an `error`, since no event takes text back.
 */
export class ResponseEncoder implements StreamEncoder {
  readonly #source: ResponseSource;
  readonly #part: number;
  readonly #after: number;
  /** The part that the facts are of. */
  #at = 0;
  #isRunning = false;
  #stepIndex = 0;
  #attempt = 0;
  #attempts: number[] = [];
  #open: OpenMessage | null = null;
  readonly #output: OutputItem[] = [];
  /** Calls that run here and have no result yet, by the id that the model gave them. */
  readonly #calls = new Map<string, { outputIndex: number; item: McpCallItem }>();
  readonly #steps: { usage: Usage }[] = [];
  /** How many items were added. */
  #added = 0;
  #frames = '';
  ended = false;

  constructor(source: ResponseSource, part: number, after: number | null) {
    this.#source = source;
    this.#part = part;
    this.#after = after ?? -1;
  }

  begin(): string {
    const response = bodyOf(this.#source, this.#part, { status: 'queued', output: [], usage: null });
    this.#send(FIRST, 'response.created', { response });
    return this.#take();
  }

  fact(fact: TurnFact): string {
    if (this.ended) return '';
    if (this.#at < this.#part) {
      if (fact.type === 'turn.requires_action' && waitsForOutputs(fact.required_action)) this.#at += 1;
      return '';
    }
    this.#read(
      fact,
      this.#sayer((place) => ofFact(fact.sequence_number, place)),
    );
    return this.#take();
  }

  preview({ attempt, text }: TextPreview): string {
    if (this.ended || this.#at < this.#part || attempt !== this.#attempt || text === '') return '';
    this.#show(text, false, this.#source.turn.id, this.#stepIndex);
    return this.#take();
  }

  #read(fact: TurnFact, say: Say): void {
    switch (fact.type) {
      case 'turn.started': {
        if (this.#isRunning) return;
        this.#isRunning = true;
        const response = bodyOf(this.#source, this.#part, { status: 'in_progress', output: [], usage: null });
        say('response.in_progress', { response });
        return;
      }
      case 'step.started':
      case 'step.restarted':
        this.#beginAttempt(fact.sequence_number, fact.step_index);
        return;
      case 'step.completed':
        this.#completeStep(fact.sequence_number, fact.step, say);
        return;
      case 'tool.completed': {
        const { tool_use_id: id, output, is_error: isError } = fact.tool_call;
        const call = this.#calls.get(id);
        if (call === undefined) return;
        this.#calls.delete(id);
        this.#closeCall(call.outputIndex, withResult(call.item, { output, isError, isSettled: true }), say);
        return;
      }
      case 'turn.requires_action': {
        if (!waitsForOutputs(fact.required_action)) return;
        const now = { status: 'completed' as const, output: this.#output, usage: sumOf(this.#steps) };
        const response = bodyOf(this.#source, this.#part, now);
        say('response.completed', { response });
        this.ended = true;
        return;
      }
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
      case 'turn.incomplete': {
        const source = { ...this.#source, turn: fact.turn };
        this.#closeItems(say);
        const now = { status: statusOf(fact.turn), output: this.#output, usage: sumOf(this.#steps) };
        const response = bodyOf(source, this.#part, now);
        say(TERMINAL[fact.type], { response });
        this.ended = true;
        return;
      }
      // What happens in between is no event of a response.
      case 'turn.queued':
      case 'turn.waiting_for_tool':
      case 'tool.started':
      case 'tool.step_started':
      case 'tool.step_completed':
      case 'tool.suspended':
      case 'tool.deferred':
      case 'tool.child_started':
      case 'tool.child_requires_action':
      case 'input.added':
      case 'mcp.tools_changed':
        return;
      default:
        fact satisfies never;
    }
  }

  #beginAttempt(attempt: number, stepIndex: number): void {
    if (stepIndex !== this.#stepIndex) this.#attempts = [];
    this.#stepIndex = stepIndex;
    this.#attempt = attempt;
    // The client has text of an attempt that is void, and which text that was is not known here.
    if (this.#open === null && this.#attempts.some((earlier) => isTextOf(earlier, this.#after)))
      this.#restart(attempt);
    this.#attempts.push(attempt);
  }

  #restart(sequenceNumber: number): void {
    this.#send(ofFact(sequenceNumber, 0), 'error', { ...RESTARTED, param: null });
    this.ended = true;
  }

  /** Shows the text of a step as far as it is new, in whole pieces; `isWhole`: there is no more to come. */
  #show(text: string, isWhole: boolean, turnId: string, stepIndex: number): void {
    if (!this.#goesOn(text, isWhole)) return;
    let end = endOfPiece(text, this.#open?.text.length ?? 0, isWhole);
    if (end === null) return;
    this.#open ??= this.#openMessage(turnId, stepIndex);
    const open = this.#open;
    for (; end !== null; end = endOfPiece(text, open.text.length, isWhole)) {
      const delta = text.slice(open.text.length, end);
      this.#send(ofText(this.#attempt, OPENING + open.pieces), 'response.output_text.delta', {
        item_id: open.itemId,
        output_index: open.outputIndex,
        content_index: 0,
        delta,
        logprobs: [],
      });
      open.text += delta;
      open.pieces += 1;
    }
  }

  /** Whether this text continues what was shown; it need not, where the model call was made again. */
  #goesOn(text: string, isWhole: boolean): boolean {
    const open = this.#open;
    if (open === null || (open.attempt === this.#attempt && !isWhole)) return true;
    if (text.startsWith(open.text)) {
      open.attempt = this.#attempt;
      return true;
    }
    if (isWhole || !open.text.startsWith(text)) this.#restart(this.#attempt);
    return false;
  }

  #openMessage(turnId: string, stepIndex: number): OpenMessage {
    const attempt = this.#attempt;
    const { thinks } = this.#source;
    const say = this.#sayer((place) => ofText(attempt, place), thinks ? 0 : 1);
    const reasoningIndex = thinks ? this.#addItem(reasoningItem(turnId, stepIndex, []), say) : null;
    const item = messageItem(turnId, stepIndex, null, 'in_progress');
    const outputIndex = this.#addItem(item, say);
    say('response.content_part.added', {
      item_id: item.id,
      output_index: outputIndex,
      content_index: 0,
      part: textPart(''),
    });
    return { outputIndex, itemId: item.id, reasoningIndex, text: '', pieces: 0, attempt };
  }

  #addItem(item: OutputItem, say: Say): number {
    const outputIndex = this.#added;
    this.#added += 1;
    say('response.output_item.added', { output_index: outputIndex, item });
    return outputIndex;
  }

  #completeStep(sequenceNumber: number, step: Step, say: Say): void {
    this.#steps.push(step);
    if (step.type !== 'model_call') return;
    if (this.#attempt === 0) this.#attempt = sequenceNumber;
    const { thinks, clientTools } = this.#source;
    const said = saidIn(step, thinks);
    const message = said.find((item): item is MessageItem => item.type === 'message');
    const text = message?.content[0]?.text ?? '';
    this.#show(text, true, step.turn_id, step.index);
    if (this.ended) return;
    const open = this.#open;
    this.#open = null;
    this.#attempt = 0;
    this.#attempts = [];
    for (const item of said) {
      if (item.type === 'message') sayMessage(say, open?.outputIndex ?? 0, item, text);
      else {
        const outputIndex = open?.reasoningIndex ?? this.#addItem({ ...item, summary: [] }, say);
        sayReasoning(say, outputIndex, item);
      }
      this.#output.push(item);
    }
    for (const { toolUseId, item } of callsIn(step, clientTools)) {
      if (item.type === 'function_call') {
        const outputIndex = this.#addItem({ ...item, status: 'in_progress', arguments: '' }, say);
        sayFunctionCall(say, outputIndex, item);
      } else {
        const outputIndex = this.#addItem({ ...item, arguments: '' }, say);
        sayMcpCall(say, outputIndex, item);
        this.#calls.set(toolUseId, { outputIndex, item });
      }
      this.#output.push(item);
    }
  }

  #closeCall(outputIndex: number, item: McpCallItem, say: Say): void {
    this.#output[outputIndex] = item;
    if (item.status !== 'in_progress')
      say(`response.mcp_call.${item.status}`, { item_id: item.id, output_index: outputIndex });
    say('response.output_item.done', { output_index: outputIndex, item });
  }

  /** Ends what the turn's end left open: text that is not kept, and calls that have no result. */
  #closeItems(say: Say): void {
    const open = this.#open;
    if (open !== null) {
      const { id: turnId } = this.#source.turn;
      if (open.reasoningIndex !== null)
        sayReasoning(say, open.reasoningIndex, reasoningItem(turnId, this.#stepIndex, []));
      const item = messageItem(turnId, this.#stepIndex, open.text, 'incomplete');
      sayMessage(say, open.outputIndex, item, open.text);
      this.#open = null;
    }
    for (const { outputIndex, item } of this.#calls.values()) this.#closeCall(outputIndex, item, say);
  }

  #sayer(numberOf: (place: number) => number, from = 0): Say {
    let place = from;
    return (type, fields) => {
      this.#send(numberOf(place), type, fields);
      place += 1;
    };
  }

  #send(number: number, type: string, fields: object): void {
    if (number <= this.#after) return;
    this.#frames += encodeFrame(type, { type, sequence_number: number, ...fields });
  }

  #take(): string {
    const frames = this.#frames;
    this.#frames = '';
    return frames;
  }
}

const TERMINAL = {
  'turn.completed': 'response.completed',
  'turn.failed': 'response.failed',
  'turn.incomplete': 'response.incomplete',
  // The official client knows no event of a cancelled response, and throws at an event that it does not know. The
  // response says it: its status is `cancelled`.
  'turn.cancelled': 'response.incomplete',
} as const;

function waitsForOutputs({ tool_calls: calls }: RequiredAction): boolean {
  return calls.some(({ awaiting }) => awaiting === 'output');
}

function sayMessage(say: Say, outputIndex: number, item: MessageItem, text: string): void {
  const at = { item_id: item.id, output_index: outputIndex, content_index: 0 };
  say('response.output_text.done', { ...at, text, logprobs: [] });
  say('response.content_part.done', { ...at, part: textPart(text) });
  say('response.output_item.done', { output_index: outputIndex, item });
}

function sayReasoning(say: Say, outputIndex: number, item: ReasoningItem): void {
  for (const [summaryIndex, part] of item.summary.entries()) {
    const at = { item_id: item.id, output_index: outputIndex, summary_index: summaryIndex };
    say('response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } });
    say('response.reasoning_summary_text.delta', { ...at, delta: part.text });
    say('response.reasoning_summary_text.done', { ...at, text: part.text });
    say('response.reasoning_summary_part.done', { ...at, part });
  }
  say('response.output_item.done', { output_index: outputIndex, item });
}

function sayFunctionCall(say: Say, outputIndex: number, item: FunctionCallItem): void {
  const at = { item_id: item.id, output_index: outputIndex };
  say('response.function_call_arguments.delta', { ...at, delta: item.arguments });
  say('response.function_call_arguments.done', { ...at, name: item.name, arguments: item.arguments });
  say('response.output_item.done', { output_index: outputIndex, item });
}

function sayMcpCall(say: Say, outputIndex: number, item: McpCallItem): void {
  const at = { item_id: item.id, output_index: outputIndex };
  say('response.mcp_call.in_progress', at);
  say('response.mcp_call_arguments.delta', { ...at, delta: item.arguments });
  say('response.mcp_call_arguments.done', { ...at, arguments: item.arguments });
}
