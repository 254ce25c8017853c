import { APIError } from '@anthropic-ai/sdk';
import { RetryableError } from '@turnpike/contract';
import { readPieces } from '@turnpike/egress';
import { MessageAssembly, type WholeMessage } from './assemble-message.ts';
import type { BuiltRequest } from './build-request.ts';
import { postBody } from './post-body.ts';
import type { ModelKey } from './key-ring.ts';
import type { ModelFiles } from './model-files.ts';
import { requestIdIn } from './read-error-body.ts';
import { SseReader, type SentEvent } from './read-sse.ts';

/** What is known of a request while it runs, also when it fails. */
export interface RequestProgress {
  /** By `performance.now()`. */
  startedAt: number;
  providerRequestId: string | null;
  /** Milliseconds from the request to the head of its answer; null before that. */
  headMs: number | null;
  /** True once the message has begun: the API is at work. */
  begun: boolean;
  /** True once the body came to its own end, with or without that of the message. */
  ended: boolean;
  /** True once `onText` was called. */
  textGiven: boolean;
  /** What it has cost by now. */
  spent: MessageAssembly['spent'];
}

/** Of a request that is about to leave. */
export function newProgress(): RequestProgress {
  const startedAt = performance.now();
  return {
    startedAt,
    providerRequestId: null,
    headMs: null,
    begun: false,
    ended: false,
    textGiven: false,
    spent: () => null,
  };
}

export interface StreamOptions {
  signal: AbortSignal;
  /** Whose files the conversation names, and where they are. */
  tenantId: string;
  files: ModelFiles;
  /** Milliseconds from the start of the request to `message_stop`. */
  limitMs: number;
  /** The code of the error where that is too short. */
  limitCode: 'model_timeout' | 'model_step_timeout';
  /** A call whose input is no JSON is taken as the model wrote it, to be told of it. */
  keepsBrokenCalls: boolean;
  /** As `meter` of `MeteredInit`. */
  onPiece(piece: Uint8Array): Promise<void> | null;
  /** The request has left: its body is no longer needed. */
  onSent(): void;
  /** The message has begun. */
  onStart(): void;
  onText(text: string): void;
}

/** How long the end of the body may take after `message_stop`: worth it, as the connection is kept then. */
const TAIL_MS = 1_000;

/**
 * Makes one request and reads its stream to the end. Throws what the SDK throws, the signal's reason,
 * and RetryableErrors for a stream that is cut, malformed or too slow, and for a file that cannot be read. The answer is made of a message
 * that reached `message_stop`, or there is none.
 */
export async function streamMessage(
  key: ModelKey,
  request: BuiltRequest,
  options: StreamOptions,
  progress: RequestProgress,
): Promise<WholeMessage> {
  const { signal } = options;
  signal.throwIfAborted();
  const ending = new AbortController();
  const endWithSignal = (): void => ending.abort(signal.reason);
  signal.addEventListener('abort', endWithSignal);
  const total = setTimeout(() => ending.abort(tookTooLong(options.limitCode)), options.limitMs);
  const assembly = new MessageAssembly({ keepsBrokenCalls: options.keepsBrokenCalls });
  progress.spent = () => assembly.spent();
  try {
    await readEvents(key, request, ending, assembly, options, progress);
  } catch (error) {
    if (!assembly.complete) throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    clearTimeout(total);
    signal.removeEventListener('abort', endWithSignal);
    // The SDK of a cloud does not end a response whose reading has ended.
    if (!progress.ended) ending.abort();
  }
  // What was complete when the stream was aborted stays so, but a caller that gave up has no use for it.
  signal.throwIfAborted();
  if (!assembly.complete) ending.signal.throwIfAborted();
  return assembly.finish();
}

async function readEvents(
  key: ModelKey,
  request: BuiltRequest,
  ending: AbortController,
  assembly: MessageAssembly,
  options: StreamOptions,
  progress: RequestProgress,
): Promise<void> {
  const response = await postBody(key, '/v1/messages', key.api.prepare(request, key), {
    tenantId: options.tenantId,
    files: options.files,
    signal: ending.signal,
    stream: true,
    meter: (piece) => options.onPiece(piece),
  });
  options.onSent();
  progress.providerRequestId = requestIdIn(response.headers);
  progress.headMs = Math.round(performance.now() - progress.startedAt);
  let tail: NodeJS.Timeout | undefined;
  const reader = new SseReader((sent) => {
    const event = parseEvent(sent, response.headers);
    if (event === undefined) return;
    const text = assembly.add(event);
    if (!progress.begun && assembly.begun) {
      progress.begun = true;
      options.onStart();
    }
    if (text !== undefined && text !== '' && !ending.signal.aborted) {
      progress.textGiven = true;
      options.onText(text);
    }
    if (assembly.complete) tail ??= setTimeout(() => ending.abort(), TAIL_MS);
  });
  try {
    // Not the SDK's own iterator, which makes several promises for each event.
    await readPieces(response, (piece) => reader.add(piece));
    progress.ended = !ending.signal.aborted;
  } catch (error) {
    throw key.api.explain(error);
  } finally {
    clearTimeout(tail);
  }
}

/** Undefined for an event without a meaning. Throws an `APIError` for an `error` event, and a SyntaxError. */
function parseEvent({ name, data }: SentEvent, headers: Headers): unknown {
  if (name === null || name === 'ping') return undefined;
  if (name === 'error') throw errorOf(data, headers);
  return data === '' ? undefined : (JSON.parse(data) as unknown);
}

/** As the SDK's own reader makes it. */
function errorOf(data: string, headers: Headers): APIError {
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    body = data;
  }
  return new APIError(undefined, Object(body) as object, undefined, headers);
}

function tookTooLong(code: StreamOptions['limitCode']): RetryableError {
  return new RetryableError(code, 'The answer took too long as a whole.');
}
