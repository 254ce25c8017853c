import {
  isInputRequiredResult,
  ProtocolError,
  SdkHttpError,
  TRACEPARENT_META_KEY,
  type CallToolResult,
} from '@modelcontextprotocol/client';
import {
  CallSuspendedError,
  LeaseLostError,
  mayRepeat,
  OutcomeUnknownError,
  TerminalError,
  type McpListedTool,
  type Question,
  type ToolCall,
  type ToolCallContext,
  type ToolOutput,
} from '@turnpike/contract';
import { BulkheadFullError, EgressRefusedError, EgressUnreachableError } from '@turnpike/egress';
import { describeFailure } from '../describe-failure.ts';
import { hideSecrets } from '../http/hide-secrets.ts';
import { openWithin } from '../http/open-tool.ts';
import { pause } from '../http/send-call.ts';
import { startTime, type TimeLeft } from '../http/time-left.ts';
import { limitCall } from '../limit-call.ts';
import { textOutput } from '../tool.ts';
import { wasRejected } from '../was-rejected.ts';
import type { CallParts, TurnServer } from './call-parts.ts';
import type { McpConnection } from './mcp-connection.ts';
import { hiddenBy, type OpenedServer } from './open-server.ts';
import type { McpPlan } from './plan-of-tool.ts';
import { answerOf, askLater, continuationOf, questionInStream, UnanswerableError } from './questions.ts';
import { readResult } from './read-result.ts';
import { progressShower } from './show-progress.ts';

/** One call, with the tool that it is of. */
interface Calling {
  server: TurnServer;
  tool: McpListedTool;
  plan: McpPlan;
  call: ToolCall;
  context: ToolCallContext;
  parts: CallParts;
}

const MOST_SENDS = 3;
const FIRST_WAIT_MS = 250;
/** The key of our call's id in `_meta`. */
const TOOL_CALL_ID_META_KEY = 'turnpike/tool_call_id';

/** The stream of a call's response ended without the response. */
class StreamEndedError extends Error {}

/**
 * Makes one call, with its repetitions, within the tool's time. What the server says, also an error of the protocol, is
 * the output. Throws `OutcomeUnknownError` where the call was sent, must not be repeated and got no response,
 * `CallSuspendedError` where a person is asked, `RetryableError` where secrets are unavailable now and nothing was sent,
 * and the signal's reason.
 */
export async function callMcpTool(calling: Calling): Promise<ToolOutput> {
  const { server, plan, call, context, parts } = calling;
  const { effect } = call;
  // The next worker could not know that a call was not sent: so the turn is not released for it.
  const opened = await openWithin(server.name, context, effect === 'once', parts.limits.secretsWaitMs, () =>
    parts.opener.open(context.tenantId, server),
  );
  if ('refusal' in opened) return textOutput(opened.refusal, true);
  const time = startTime(plan.timeoutMs);
  for (let sends = 1; ; sends += 1) {
    const outcome = await sendOnce(calling, opened, time);
    if ('output' in outcome) return outcome.output;
    const { failure, sent } = outcome;
    context.logger.warn('An MCP server did not respond.', { sends, sent, ...describeFailure(failure) });
    const wait = Math.random() * FIRST_WAIT_MS * 2 ** sends;
    const isLast = sends >= MOST_SENDS || wait >= time.ms() || wasRejected(failure) || isDefinite(failure);
    if (!isLast && (mayRepeat(effect) || !sent)) {
      await pause(wait, context.signal);
      continue;
    }
    return describeFailedCall(calling, opened, { failure, sent, sends, expired: time.ms() <= 0 });
  }
}

/** Failures that a repetition does not change. */
function isDefinite(failure: unknown): boolean {
  if (failure instanceof EgressRefusedError || failure instanceof TerminalError) return true;
  return failure instanceof SdkHttpError && failure.status < 500 && ![408, 425, 429].includes(failure.status);
}

type Outcome = { output: ToolOutput } | { failure: unknown; sent: boolean };

/** Throws the signal's reason, `LeaseLostError` and `CallSuspendedError`. */
async function sendOnce(calling: Calling, opened: OpenedServer, time: TimeLeft): Promise<Outcome> {
  const { context, server, parts } = calling;
  const sending = { sent: false };
  const { tenantId, signal } = context;
  signal.throwIfAborted();
  try {
    const send = async (): Promise<ToolOutput> => {
      const leftMs = Math.floor(time.ms());
      // All of its time may have passed before it got its slot.
      if (leftMs < 1) throw new BulkheadFullError();
      return onConnection(calling, opened, leftMs, sending);
    };
    const key = `${tenantId} mcp ${server.id}`;
    return { output: await parts.guard.run(key, signal, send, { isFailure: isServerFailure }) };
  } catch (failure) {
    if (failure instanceof CallSuspendedError || failure instanceof LeaseLostError) throw failure;
    signal.throwIfAborted();
    const wasRefused = failure instanceof EgressRefusedError || failure instanceof EgressUnreachableError;
    return { failure, sent: sending.sent && !wasRefused };
  }
}

/** Whether an outcome says that a server is down, and not that a call was wrong. Null: it says nothing. */
function isServerFailure(outcome: { error: unknown } | { result: unknown }): boolean | null {
  if ('result' in outcome) return false;
  const { error } = outcome;
  if (error instanceof CallSuspendedError) return false;
  if (error instanceof LeaseLostError || error instanceof TerminalError) return null;
  if (error instanceof SdkHttpError) return error.status >= 500;
  return !(error instanceof EgressRefusedError || error instanceof ProtocolError);
}

/** Takes a connection, calls on it, and gives it back where it is still good. */
async function onConnection(
  calling: Calling,
  opened: OpenedServer,
  leftMs: number,
  sending: { sent: boolean },
): Promise<ToolOutput> {
  const { context, parts } = calling;
  const limit = limitCall(context.signal, leftMs);
  // What is awaited here ends with the signal.
  limit.ended.catch(() => undefined);
  try {
    for (let fresh = false; ; fresh = true) {
      const take = { signal: limit.signal, timeoutMs: leftMs, fresh };
      const connection = await parts.pool.take(opened, context, take);
      let isGood = false;
      try {
        const output = await callOn(connection, calling, opened, { ...limit, leftMs }, sending);
        isGood = true;
        return output;
      } catch (error) {
        isGood = error instanceof ProtocolError;
        // The server no longer knows the session, so it has not read the call.
        const isForgotten = error instanceof SdkHttpError && error.status === 404;
        if (!isForgotten || !connection.reused) throw error;
        sending.sent = false;
      } finally {
        if (isGood) parts.pool.giveBack(connection, opened, context);
        else parts.pool.discard(connection);
      }
    }
  } finally {
    limit.release();
  }
}

async function callOn(
  connection: McpConnection,
  { server, tool, call, context, parts }: Calling,
  opened: OpenedServer,
  limit: { signal: AbortSignal; leftMs: number },
  sending: { sent: boolean },
): Promise<ToolOutput> {
  const { client, transport } = connection;
  const stop = new AbortController();
  const follow = (): void => stop.abort(limit.signal.reason);
  limit.signal.addEventListener('abort', follow, { once: true });
  if (limit.signal.aborted) follow();
  const asked: { question: Question | null; unanswered: boolean } = { question: null, unanswered: false };
  let ended = false;
  transport.watch = {
    beforeSend() {
      stop.signal.throwIfAborted();
      context.assertHeld();
      sending.sent = true;
    },
    streamEnded() {
      // The response may be on its way from the stream to us.
      setTimeout(() => {
        ended = true;
        stop.abort(new StreamEndedError());
      }, STREAM_END_MS).unref();
    },
  };
  connection.onToolsChanged = () => {
    parts.lists
      .expireList(context.tenantId, server.id)
      .catch((error: unknown) =>
        context.logger.warn('A changed list of tools could not be marked.', describeFailure(error)),
      );
  };
  connection.onQuestion = async (request) => {
    const answer = answerOf(request, context);
    if (answer !== null) return answer;
    if (!mayRepeat(call.effect)) {
      asked.unanswered = true;
      return { action: 'cancel' };
    }
    asked.question = questionInStream(request);
    stop.abort(new CallSuspendedError(asked.question));
    return { action: 'cancel' };
  };
  const hidden = await hiddenBy(opened);
  const limits = {
    maxTextCharacters: server.config.max_output_bytes,
    maxMediaCharacters: parts.limits.maxMediaCharacters,
  };
  try {
    for (;;) {
      const result: unknown = await client.callTool(
        {
          name: tool.name,
          arguments: argumentsOf(call.input),
          _meta: {
            [TOOL_CALL_ID_META_KEY]: call.id,
            ...(context.traceparent === null ? {} : { [TRACEPARENT_META_KEY]: context.traceparent }),
          },
          ...continuationOf(context),
        },
        {
          signal: stop.signal,
          timeout: limit.leftMs,
          allowInputRequired: true,
          onprogress: progressShower((shown) => context.showProgress(shown), hidden),
          headers: { 'idempotency-key': call.id },
          toolDefinition: { name: tool.name, inputSchema: tool.input_schema },
        },
      );
      if (!isInputRequiredResult(result)) {
        const output = readResult(result as CallToolResult, limits, await hiddenBy(opened));
        return asked.unanswered ? withNote(output) : output;
      }
      await askLater(
        {
          ...(result.inputRequests === undefined ? {} : { inputRequests: { ...result.inputRequests } }),
          ...(result.requestState === undefined ? {} : { requestState: result.requestState }),
        },
        context,
      );
    }
  } catch (error) {
    if (asked.question !== null) throw new CallSuspendedError(asked.question);
    limit.signal.throwIfAborted();
    if (ended) throw new StreamEndedError('The connection ended before the response.');
    throw error;
  } finally {
    limit.signal.removeEventListener('abort', follow);
    connection.onToolsChanged = null;
  }
}

const STREAM_END_MS = 50;

/** The API has checked that an input is an object. */
function argumentsOf(input: unknown): Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? { ...input } : {};
}

function withNote(output: ToolOutput): ToolOutput {
  const text =
    '[The server asked a question in the middle of this call. Nobody could be asked: the call must not be repeated, ' +
    'and this server cannot wait for an answer. It was told so.]';
  return { ...output, content: [...output.content, { type: 'text', text }] };
}

/**
 * The result, for the model, of a call that ended without a response. Throws `OutcomeUnknownError` where it may have
 * acted and must not be repeated.
 */
async function describeFailedCall(
  { server, tool, plan, call }: Calling,
  opened: OpenedServer,
  { failure, sent, sends, expired }: { failure: unknown; sent: boolean; sends: number; expired: boolean },
): Promise<ToolOutput> {
  const name = `${server.name}: ${tool.name}`;
  const tries = sends > 1 ? ` It was tried ${sends} times.` : '';
  if (wasRejected(failure)) {
    const reason = failure.code === 'circuit_open' ? 'has not responded lately' : 'is busy with other calls';
    return textOutput(`${failure.code}: ${server.name} ${reason}. Nothing was sent; try again later.`, true);
  }
  if (failure instanceof TerminalError) {
    return textOutput(`${failure.code}: ${failure.message} Nothing was sent.`, true);
  }
  if (failure instanceof UnanswerableError) {
    return textOutput(`${name} asked a question that cannot be answered here: ${failure.message}.`, true);
  }
  const hidden = await hiddenBy(opened);
  const shown = (text: string): string => hideSecrets(text.slice(0, MOST_MESSAGE_CHARACTERS), hidden, true);
  if (failure instanceof ProtocolError)
    return textOutput(shown(`The server refused the call: ${failure.message}`), true);
  const wasNotSent =
    failure instanceof EgressRefusedError || failure instanceof EgressUnreachableError || !sent;
  if (wasNotSent) {
    const because = failure instanceof Error ? ` ${failure.message}` : '';
    return textOutput(shown(`${name} could not be reached; the call was not sent.${because}${tries}`), true);
  }
  if (failure instanceof SdkHttpError && failure.status < 500) {
    return textOutput(shown(`The server refused the call: ${failure.message}`), true);
  }
  const message = expired
    ? `${name} timed out: no result within ${plan.timeoutMs} ms.`
    : `${name} gave no response before its connection ended.`;
  if (!mayRepeat(call.effect)) {
    throw new OutcomeUnknownError(expired ? 'tool_timeout' : 'call_failed', message, failure);
  }
  return textOutput(`${message}${tries}`, true);
}

const MOST_MESSAGE_CHARACTERS = 1_000;
