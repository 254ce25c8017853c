import { storableText, type ContentBlock, type ModelResponse, type Usage } from '@turnpike/contract';
import { extendBlock, finishBlock, type OpenBlock } from './assemble-block.ts';
import { streamCut, streamMalformed } from './stream-broken.ts';
import { parseStreamEvent, type StreamEvent, type StreamUsage } from './stream-events.ts';

export type WholeMessage = Pick<ModelResponse, 'content' | 'stopReason' | 'model' | 'usage'>;

/** After these the model had said all that it meant to: a call that is not whole then is a broken stream. */
const DELIBERATE_STOPS = new Set(['end_turn', 'tool_use', 'pause_turn']);

/**
 * Puts one message together from its stream events. Stricter than the SDK's own accumulator, which
 * repairs the JSON of a half-received call, drops deltas of a kind that it does not know, and asks
 * neither for the end of a block nor for their order.
 */
export class MessageAssembly {
  #model: string | undefined;
  #stopReason: string | undefined;
  #usage: StreamUsage = {};
  #blocks: OpenBlock[] = [];
  #unfinished: OpenBlock | undefined;
  #complete = false;
  readonly #keepsBrokenCalls: boolean;

  /** With `keepsBrokenCalls`, a call whose input is no JSON is one that the model wrote so, and no broken stream. */
  constructor({ keepsBrokenCalls = false }: { keepsBrokenCalls?: boolean } = {}) {
    this.#keepsBrokenCalls = keepsBrokenCalls;
  }

  /** True once `message_stop` came: from here on nothing can change the message. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Takes the next event. Returns a piece of the answer's text, where the event brought one.
   * Throws RetryableError `model_malformed_stream`.
   */
  add(event: unknown): string | undefined {
    if (this.#complete) return undefined;
    const parsed = parse(event);
    if (parsed === null) return undefined;
    if (parsed.type !== 'message_start' && this.#model === undefined) {
      throw streamMalformed('it does not begin with message_start');
    }
    if (parsed.type === 'content_block_delta')
      return extendBlock(this.#openBlock(parsed.index), parsed.delta);
    this.#apply(parsed);
    return undefined;
  }

  /**
   * What was spent on a message that has begun; null before that. The API counts the output at its end: until
   * then it is estimated by its length.
   */
  spent(): Pick<WholeMessage, 'model' | 'usage'> | null {
    if (this.#model === undefined) return null;
    const usage = countTokens(this.#usage);
    // It came to `message_delta`: the output was counted.
    if (this.#stopReason !== undefined) return { model: this.#model, usage };
    const bytes = this.#blocks.reduce((sum, open) => sum + bytesIn(open), 0);
    const estimated = Math.ceil(bytes / BYTES_OF_TOKEN);
    return {
      model: this.#model,
      usage: { ...usage, output_tokens: Math.max(usage.output_tokens, estimated) },
    };
  }

  /** The message. Throws RetryableError `model_stream_cut` where `message_stop` never came. */
  finish(): WholeMessage {
    if (!this.#complete || this.#model === undefined || this.#stopReason === undefined) throw streamCut();
    return {
      content: this.#content(this.#stopReason),
      stopReason: storableText(this.#stopReason),
      model: storableText(this.#model),
      usage: countTokens(this.#usage),
    };
  }

  #apply(event: Exclude<StreamEvent, { type: 'content_block_delta' }>): void {
    switch (event.type) {
      case 'message_start':
        if (this.#model !== undefined) throw streamMalformed('it has two beginnings');
        this.#model = event.message.model;
        this.#usage = event.message.usage;
        break;
      case 'content_block_start':
        if (event.index !== this.#blocks.length) throw streamMalformed('a block is missing');
        this.#blocks.push({ block: event.content_block, inputText: undefined, stopped: false });
        break;
      case 'content_block_stop':
        this.#endBlock(this.#openBlock(event.index));
        break;
      case 'message_delta':
        this.#stopReason = event.delta.stop_reason ?? this.#stopReason;
        this.#usage = { ...this.#usage, ...present(event.usage ?? {}) };
        break;
      case 'message_stop':
        this.#end();
        break;
    }
  }

  #endBlock(open: OpenBlock): void {
    // A limit stops the model inside its last block only.
    if (this.#unfinished !== undefined && !this.#keepsBrokenCalls)
      throw streamMalformed('a call is not whole');
    if (!finishBlock(open)) this.#unfinished = open;
  }

  #openBlock(index: number): OpenBlock {
    const open = this.#blocks[index];
    if (open === undefined || open.stopped) throw streamMalformed('a delta belongs to no block');
    return open;
  }

  #end(): void {
    if (this.#blocks.some((open) => !open.stopped)) throw streamMalformed('a block has no end');
    if (this.#stopReason === undefined) throw streamMalformed('it has no stop reason');
    const isBroken = this.#unfinished !== undefined && DELIBERATE_STOPS.has(this.#stopReason);
    if (isBroken && !this.#keepsBrokenCalls) {
      throw streamMalformed('a call is not whole');
    }
    this.#complete = true;
  }

  /** All blocks; where a limit stopped the model in the middle of one, all but that one. */
  #content(stopReason: string): ContentBlock[] {
    const content = this.#blocks.map((open) => open.block);
    const last = this.#blocks.at(-1);
    const cut = !DELIBERATE_STOPS.has(stopReason) && last !== undefined && isCut(last, this.#unfinished);
    return cut ? content.slice(0, -1) : content;
  }
}

/** English has about four in a token, Chinese three: what is estimated is rather too dear than too cheap. */
const BYTES_OF_TOKEN = 3;

function bytesIn({ block, inputText }: OpenBlock): number {
  const texts = [block['text'], block['thinking'], inputText];
  return texts.reduce<number>(
    (sum, text) => sum + (typeof text === 'string' ? Buffer.byteLength(text) : 0),
    0,
  );
}

/** A call without a whole input would be run as another one; thinking without its signature is refused later. */
function isCut(last: OpenBlock, unfinished: OpenBlock | undefined): boolean {
  if (last === unfinished) return true;
  if ('input' in last.block) return (last.inputText ?? '').trim() === '';
  return last.block.type === 'thinking' && !last.block['signature'];
}

function parse(event: unknown): StreamEvent | null {
  try {
    return parseStreamEvent(event);
  } catch {
    // The ZodError is left behind: it may quote the answer.
    throw streamMalformed('an event is not what its type says');
  }
}

/** The counts that are there. Those of `message_delta` are totals, so they replace what came before. */
function present(usage: StreamUsage): StreamUsage {
  return Object.fromEntries(
    Object.entries(usage).filter(([, count]) => count !== null && count !== undefined),
  );
}

function countTokens(usage: StreamUsage): Usage {
  return {
    input_tokens: usage.input_tokens ?? 0,
    output_tokens: usage.output_tokens ?? 0,
    cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
  };
}
