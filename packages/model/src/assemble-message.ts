import { storableText, type ContentBlock, type ModelResponse, type Usage } from '@turnpike/contract';
import { extendBlock, finishBlock, type OpenBlock } from './assemble-block.ts';
import { streamCut, streamMalformed } from './stream-broken.ts';
import { parseStreamEvent, type StreamEvent, type StreamUsage } from './stream-events.ts';

export interface WholeMessage extends Pick<ModelResponse, 'content' | 'stopReason' | 'model' | 'usage'> {
  /** Searches of the web that the API made for it; each has a price of its own. */
  webSearches: number;
  /** The speed at which it was written; null where the API does not say. */
  speed: string | null;
  /** Where the model ran; null where the API does not say. */
  geo: string | null;
  /** The container in which code ran; null where none did. */
  containerId: string | null;
}

/** What the price of a message depends on. */
export type PricedUsage = Pick<WholeMessage, 'usage' | 'webSearches' | 'speed' | 'geo'>;

/** Stop reasons of a complete message: a truncated call in one means that the stream is broken. */
const DELIBERATE_STOPS = new Set(['end_turn', 'tool_use', 'pause_turn']);

/**
 * Assembles one message from its stream events. Stricter than the SDK's own accumulator, which repairs the JSON of a
 * partly received call, drops deltas of unknown types, and checks neither the end nor the order of blocks.
 */
export class MessageAssembly {
  #model: string | undefined;
  #stopReason: string | undefined;
  #usage: StreamUsage = {};
  #blocks: OpenBlock[] = [];
  #unfinished: OpenBlock | undefined;
  #complete = false;
  #containerId: string | null = null;
  readonly #keepsBrokenCalls: boolean;

  /** With `keepsBrokenCalls`, a call whose input is not JSON is kept as the model's own mistake, not taken for a broken stream. */
  constructor({ keepsBrokenCalls = false }: { keepsBrokenCalls?: boolean } = {}) {
    this.#keepsBrokenCalls = keepsBrokenCalls;
  }

  /** True after `message_start`: the API is at work. */
  get begun(): boolean {
    return this.#model !== undefined;
  }

  /** True after `message_stop`: from here on nothing can change the message. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Adds the next event. Returns a piece of the message's text, where the event has one.
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
   * The usage of a message that has begun; null before that. The API counts the output at its end: until then it is
   * estimated from its length.
   */
  spent(): (Pick<WholeMessage, 'model'> & PricedUsage) | null {
    if (this.#model === undefined) return null;
    const { usage, ...priced } = this.#priced();
    // After `message_delta` the output is counted.
    if (this.#stopReason !== undefined) return { model: this.#model, usage, ...priced };
    const bytes = this.#blocks.reduce((sum, open) => sum + bytesIn(open), 0);
    const estimated = Math.ceil(bytes / BYTES_PER_TOKEN);
    return {
      model: this.#model,
      usage: { ...usage, output_tokens: Math.max(usage.output_tokens, estimated) },
      ...priced,
    };
  }

  /** The message. Throws RetryableError `model_stream_cut` without a `message_stop`. */
  finish(): WholeMessage {
    if (!this.#complete || this.#model === undefined || this.#stopReason === undefined) throw streamCut();
    return {
      content: this.#content(this.#stopReason),
      stopReason: storableText(this.#stopReason),
      model: storableText(this.#model),
      ...this.#priced(),
      containerId: this.#containerId,
    };
  }

  #priced(): PricedUsage {
    return {
      usage: countTokens(this.#usage),
      webSearches: countSearches(this.#usage),
      speed: this.#usage.speed ?? null,
      geo: this.#usage.inference_geo ?? null,
    };
  }

  #apply(event: Exclude<StreamEvent, { type: 'content_block_delta' }>): void {
    switch (event.type) {
      case 'message_start':
        if (this.#model !== undefined) throw streamMalformed('it has two message_start events');
        this.#model = event.message.model;
        this.#usage = event.message.usage;
        this.#containerId = event.message.container?.id ?? null;
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
        this.#containerId = event.delta.container?.id ?? this.#containerId;
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
      throw streamMalformed('a call is incomplete');
    if (!finishBlock(open)) this.#unfinished = open;
  }

  #openBlock(index: number): OpenBlock {
    const open = this.#blocks[index];
    if (open === undefined || open.stopped) throw streamMalformed('a delta belongs to no block');
    return open;
  }

  #end(): void {
    if (this.#blocks.some((open) => !open.stopped))
      throw streamMalformed('a block has no content_block_stop');
    if (this.#stopReason === undefined) throw streamMalformed('it has no stop reason');
    const isBroken = this.#unfinished !== undefined && DELIBERATE_STOPS.has(this.#stopReason);
    if (isBroken && !this.#keepsBrokenCalls) {
      throw streamMalformed('a call is incomplete');
    }
    this.#complete = true;
  }

  /** All blocks, but for a last one that was truncated by a limit. */
  #content(stopReason: string): ContentBlock[] {
    const content = this.#blocks.map((open) => open.block);
    const last = this.#blocks.at(-1);
    const isTruncated =
      !DELIBERATE_STOPS.has(stopReason) && last !== undefined && isIncomplete(last, this.#unfinished);
    return isTruncated ? content.slice(0, -1) : content;
  }
}

/** English has about four, Chinese three: the estimate is rather too high than too low. */
const BYTES_PER_TOKEN = 3;

function bytesIn({ block, inputText }: OpenBlock): number {
  const texts = [block['text'], block['thinking'], inputText];
  return texts.reduce<number>(
    (sum, text) => sum + (typeof text === 'string' ? Buffer.byteLength(text) : 0),
    0,
  );
}

/** A call with a truncated input would be another call; thinking without its signature is refused later. */
function isIncomplete(last: OpenBlock, unfinished: OpenBlock | undefined): boolean {
  if (last === unfinished) return true;
  if ('input' in last.block) return (last.inputText ?? '').trim() === '';
  return last.block.type === 'thinking' && !last.block['signature'];
}

function parse(event: unknown): StreamEvent | null {
  try {
    return parseStreamEvent(event);
  } catch {
    // Without the ZodError: it may quote the response.
    throw streamMalformed('an event does not have the fields of its type');
  }
}

/** The counts that are present. Those of `message_delta` are totals, so they replace earlier ones. */
function present(usage: StreamUsage): StreamUsage {
  return Object.fromEntries(
    Object.entries(usage).filter(([, count]) => count !== null && count !== undefined),
  );
}

function countSearches({ server_tool_use: calls }: StreamUsage): number {
  return calls?.web_search_requests ?? 0;
}

function countTokens(usage: StreamUsage): Usage {
  return {
    input_tokens: usage.input_tokens ?? 0,
    output_tokens: usage.output_tokens ?? 0,
    cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
  };
}
