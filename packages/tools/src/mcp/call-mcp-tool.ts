import {
  isInputRequiredResult,
  OAuthClientFlowError,
  ProtocolError,
  SdkError,
  SdkErrorCode,
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
  type ToolOutput,
} from '@turnpike/contract';
import { BulkheadFullError, EgressRefusedError, EgressUnreachableError } from '@turnpike/egress';
import { describeFailure } from '../describe-failure.ts';
import { hideSecrets } from '../http/hide-secrets.ts';
import { openWithin } from '../http/open-tool.ts';
import { pause } from '../http/send-call.ts';
import { startTime, type TimeLeft } from '../http/time-left.ts';
import { textOutput } from '../tool.ts';
import { wasRejected } from '../was-rejected.ts';
import type { Calling } from './call-parts.ts';
import { followTask } from './follow-task.ts';
import { isServerFailure } from './is-server-failure.ts';
import { CALL_ID_HEADER } from './mcp-fetch.ts';
import { sessionOf, type McpConnection } from './mcp-connection.ts';
import { isForgotten, onConnection, type UseLimit } from './on-connection.ts';
import { hiddenBy, type OpenedServer } from './open-server.ts';
import { answerOf, askLater, continuationOf, questionInStream, UnanswerableError } from './questions.ts';
import { readResult } from './read-result.ts';
import { progressShower } from './show-progress.ts';
import { handleOf, keepHandle, type CreatedTask, type TaskHandle } from './task-handle.ts';

const MOST_SENDS = 3;
const FIRST_WAIT_MS = 250;
/** The key of our call's id in `_meta`. */
const TOOL_CALL_ID_META_KEY = 'turnpike/tool_call_id';

/** The stream of a call's response ended without the response. */
class StreamEndedError extends Error {}

/**
 * Makes one call, with its repetitions, within the tool's time. What the server says, also an error of the protocol, is
 * the output. A call whose task is committed goes on with that, whoever made it. Throws `OutcomeUnknownError` where the
 * call was sent, must not be repeated and got no response, `CallSuspendedError` where a person is asked,
 * `CallDeferredError` where a task goes on meanwhile, `RetryableError` where secrets are unavailable now and nothing was
 * sent, and the signal's reason.
 */
export async function callMcpTool(calling: Calling): Promise<ToolOutput> {
  const { server, plan, call, context, parts } = calling;
  const { effect } = call;
  const kept = handleOf(context);
  // The next worker could not know that a call was not sent: so the turn is not released for it.
  const opened = await openWithin(
    server.name,
    context,
    effect === 'once' && kept === null,
    parts.limits.secretsWaitMs,
    () => calling.open(),
  );
  if ('refusal' in opened) {
    if (kept !== null && !mayRepeat(effect)) throw new OutcomeUnknownError('task_lost', opened.refusal);
    return textOutput(opened.refusal, true);
  }
  if (kept !== null) return followTask(calling, opened, kept);
  const time = startTime(plan.timeoutMs);
  for (let sends = 1; ; sends += 1) {
    const outcome = await sendOnce(calling, opened, time);
    if ('output' in outcome) return outcome.output;
    if ('handle' in outcome) return followTask(calling, opened, outcome.handle);
    const { failure, sent } = outcome;
    context.logger.warn('An MCP server did not respond.', { sends, sent, ...describeFailure(failure) });
    const wait = Math.random() * FIRST_WAIT_MS * 2 ** sends;
    const isLast = sends >= MOST_SENDS || wait >= time.ms() || wasRejected(failure) || isDefinite(failure);
    if (!isLast && (mayRepeat(effect) || !sent)) {
      await pause(wait, context.signal);
      continue;
    }
    return describeFailedCall(calling, opened, {
      failure,
      sent,
      sends,
      expired: time.ms() <= 0 || isTimeout(failure),
    });
  }
}

/** The client's timer may be a moment earlier than the call's time is over. */
function isTimeout(failure: unknown): boolean {
  return failure instanceof SdkError && failure.code === SdkErrorCode.RequestTimeout;
}

/** Failures that a repetition does not change. */
function isDefinite(failure: unknown): boolean {
  if (failure instanceof EgressRefusedError || failure instanceof TerminalError) return true;
  if (failure instanceof OAuthClientFlowError) return true;
  return failure instanceof SdkHttpError && failure.status < 500 && ![408, 425, 429].includes(failure.status);
}

type Answered = { output: ToolOutput } | { handle: TaskHandle };
type Outcome = Answered | { failure: unknown; sent: boolean };

/** Throws the signal's reason, `LeaseLostError` and `CallSuspendedError`. */
async function sendOnce(calling: Calling, opened: OpenedServer, time: TimeLeft): Promise<Outcome> {
  const { context, server, parts } = calling;
  const sending = { sent: false };
  const { tenantId, signal } = context;
  signal.throwIfAborted();
  try {
    const send = async (): Promise<Answered> => {
      const leftMs = Math.floor(time.ms());
      // All of its time may have passed before it got its slot.
      if (leftMs < 1) throw new BulkheadFullError();
      return onConnection(opened, context, parts, leftMs, (connection, limit) =>
        callOn(connection, calling, opened, limit, sending),
      );
    };
    const key = `${tenantId} mcp ${server.id}`;
    return await parts.guard.run(key, signal, send, { isFailure: isServerFailure });
  } catch (failure) {
    if (failure instanceof CallSuspendedError || failure instanceof LeaseLostError) throw failure;
    signal.throwIfAborted();
    const wasRefused = failure instanceof EgressRefusedError || failure instanceof EgressUnreachableError;
    return { failure, sent: sending.sent && !wasRefused };
  }
}

async function callOn(
  connection: McpConnection,
  { server, tool, call, context, parts }: Calling,
  opened: OpenedServer,
  limit: UseLimit,
  sending: { sent: boolean },
): Promise<Answered> {
  const { client, transport } = connection;
  const stop = new AbortController();
  const follow = (): void => stop.abort(limit.signal.reason);
  limit.signal.addEventListener('abort', follow, { once: true });
  if (limit.signal.aborted) follow();
  const asked: { question: Question | null; unanswered: boolean } = { question: null, unanswered: false };
  let ended = false;
  let created: CreatedTask | null = null;
  transport.watch = {
    taskCreated(task) {
      created = task;
    },
    beforeSend() {
      stop.signal.throwIfAborted();
      context.assertHeld();
      sending.sent = true;
    },
    refused() {
      sending.sent = false;
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
    // A server may say it a thousand times.
    connection.onToolsChanged = null;
    parts
      .listChanged()
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
          ...(isCoreTask(connection, tool, call) ? { task: { ttl: server.config.task_timeout_ms } } : {}),
        },
        {
          signal: stop.signal,
          timeout: limit.leftMs,
          allowInputRequired: true,
          onprogress: progressShower((shown) => context.showProgress(shown), hidden),
          headers: { [CALL_ID_HEADER]: call.id },
          toolDefinition: { name: tool.name, inputSchema: tool.input_schema },
        },
      );
      if (created !== null) {
        connection.keepsSession = true;
        return { handle: await keepHandle(created, sessionOf(connection), context) };
      }
      if (!isInputRequiredResult(result)) {
        const output = readResult(result as CallToolResult, limits, await hiddenBy(opened));
        return { output: asked.unanswered ? withNote(output) : output };
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
    // The server no longer knows the session, so it has not read the call.
    if (isForgotten(error, connection)) sending.sent = false;
    if (ended) throw new StreamEndedError('The connection ended before the response.');
    throw error;
  } finally {
    limit.signal.removeEventListener('abort', follow);
    connection.onToolsChanged = null;
  }
}

const STREAM_END_MS = 50;

/**
 * Whether a server of 2025-11-25 is asked for a task: where it insists, or where that tells the outcome of a call that
 * must not be repeated. Later ones decide by themselves.
 */
function isCoreTask(
  { client }: McpConnection,
  { task_support: support }: McpListedTool,
  { effect }: ToolCall,
): boolean {
  if (client.getProtocolEra() === 'modern') return false;
  if (client.getServerCapabilities()?.tasks?.requests?.tools?.call === undefined) return false;
  return support === 'required' || (support === 'optional' && !mayRepeat(effect));
}

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
  if (failure instanceof ProtocolError || failure instanceof OAuthClientFlowError)
    return textOutput(shown(`The server refused the call: ${failure.message}`), true);
  if (failure instanceof SdkHttpError && failure.status < 500) {
    return textOutput(shown(`The server refused the call (${failure.status}): ${failure.message}`), true);
  }
  const wasNotSent =
    failure instanceof EgressRefusedError || failure instanceof EgressUnreachableError || !sent;
  if (wasNotSent) {
    const because = failure instanceof Error ? ` ${failure.message}` : '';
    return textOutput(shown(`${name} could not be reached; the call was not sent.${because}${tries}`), true);
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
