import {
  INVALID_PARAMS,
  METHOD_NOT_FOUND,
  ProtocolError,
  SdkHttpError,
  type ElicitResult,
} from '@modelcontextprotocol/client';
import {
  CallDeferredError,
  DeadlineError,
  LeaseLostError,
  mayRepeat,
  OutcomeUnknownError,
  storableText,
  TurnCancelledError,
  type ToolOutput,
} from '@turnpike/contract';
import { describeFailure } from '../describe-failure.ts';
import { hideSecrets } from '../http/hide-secrets.ts';
import { pause } from '../http/send-call.ts';
import { textOutput } from '../tool.ts';
import { answerTask, askTask, cancelTask, type TaskState } from './ask-task.ts';
import type { Calling } from './call-parts.ts';
import { isServerFailure } from './is-server-failure.ts';
import type { McpConnection } from './mcp-connection.ts';
import { onConnection, type UseLimit } from './on-connection.ts';
import { hiddenBy, type OpenedServer } from './open-server.ts';
import { answersToTask, askForTask, UnanswerableError } from './questions.ts';
import { readResult } from './read-result.ts';
import type { TaskHandle } from './task-handle.ts';

/** One request about a task. */
const REQUEST_MS = 10_000;
/** A task is waited for here as long as this; then its turn waits without a worker. */
const HOLD_MS = 2_000;
const DEFAULT_POLL_MS = 1_000;
const LEAST_POLL_MS = 100;
const MOST_POLL_MS = 300_000;
/** The older a task, the less often it is asked for: after this share of its age, up to a minute. */
const WAIT_SHARE = 0.1;
const MOST_WAIT_MS = 60_000;
/** A turn that is released may come back after half of the time that it asked for. */
const RELEASE_FACTOR = 2;
const CANCEL_MS = 2_000;
const MOST_CHARACTERS = 1_000;

/**
 * Waits for the task of a call, by asking for it, and returns its result. It may be called again, by any worker, for as
 * long as the handle is there. Throws `CallDeferredError` where the task goes on, `CallSuspendedError` where it asks a
 * person, `OutcomeUnknownError` where its server does not know it any more or its time is over, and the signal's reason.
 */
export async function followTask(
  calling: Calling,
  opened: OpenedServer,
  handle: TaskHandle,
): Promise<ToolOutput> {
  const { context } = calling;
  const holdUntil = performance.now() + HOLD_MS;
  try {
    for (;;) {
      const state = await askOnce(calling, opened, handle);
      const output = await outputOf(calling, opened, handle, state);
      if (output !== null) return output;
      const waitMs = Math.min(
        MOST_POLL_MS,
        Math.max(LEAST_POLL_MS, state.pollMs ?? handle.pollMs ?? DEFAULT_POLL_MS),
      );
      if (performance.now() + waitMs > holdUntil) throw deferred(calling, handle, waitMs);
      await pause(waitMs, context.signal);
    }
  } catch (error) {
    await cancelWithTurn(calling, opened, handle);
    throw error;
  }
}

/** How the task is now. Throws `CallDeferredError` where its server cannot be asked. */
async function askOnce(calling: Calling, opened: OpenedServer, handle: TaskHandle): Promise<TaskState> {
  const { context, server } = calling;
  const limitMs = server.config.task_timeout_ms;
  const isLate = context.now() - handle.beganAt > limitMs;
  const late = (): TaskState => lost(calling, 'tool_timeout', `it gave no result within ${limitMs} ms`);
  try {
    const state = await askAndAnswer(calling, opened, handle);
    if (!isLate || state.status !== 'working') return state;
    await cancelAtServer(calling, opened, handle);
    return late();
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof LeaseLostError || error instanceof OutcomeUnknownError) throw error;
    context.logger.warn('An MCP server could not be asked for its task.', describeFailure(error));
    if (isUnknownTask(error, handle))
      return lost(calling, 'task_lost', 'its server does not know the task any more');
    if (isLate) return late();
    throw deferred(calling, handle, DEFAULT_POLL_MS);
  }
}

/** A task that will have no result. Throws where its call may have acted and must not be repeated. */
function lost({ server, tool, call }: Calling, code: string, reason: string): TaskState {
  const message = `${server.name}: ${tool.name} failed: ${reason}`;
  if (!mayRepeat(call.effect)) throw new OutcomeUnknownError(code, message);
  return { status: 'failed', reason, message: null, pollMs: null };
}

/** Asks, and sends the answers that the task waits for. */
function askAndAnswer(calling: Calling, opened: OpenedServer, handle: TaskHandle): Promise<TaskState> {
  return onTask(calling, opened, handle, async (connection, { signal, leftMs }) => {
    const asking = { signal, timeout: leftMs };
    const state = await askTask(connection.client, handle, asking);
    if (state.status !== 'input_required') return state;
    const answers = answersTo(state.requests, calling);
    if (Object.keys(answers).length === 0) return state;
    calling.context.assertHeld();
    try {
      await answerTask(connection.client, handle, answers, asking);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      await cancelTask(connection.client, handle, asking);
      const reason = `its server refused the answer: ${error.message}`;
      return { status: 'failed', reason, message: null, pollMs: null };
    }
    return { status: 'working', message: null, pollMs: state.pollMs };
  });
}

function isUnknownTask(error: unknown, handle: TaskHandle): boolean {
  // The session that it was made in has ended.
  if (error instanceof SdkHttpError && error.status === 404) return handle.session !== null;
  if (!(error instanceof ProtocolError)) return false;
  return error.code === INVALID_PARAMS || error.code === METHOD_NOT_FOUND;
}

/** The committed answers to questions that are open. */
function answersTo(requests: Record<string, unknown>, { context }: Calling): Record<string, ElicitResult> {
  const answers = answersToTask(context);
  return Object.fromEntries(Object.entries(answers).filter(([key]) => Object.hasOwn(requests, key)));
}

/** Null while the task is at work. Throws `CallSuspendedError` where it asks a person. */
async function outputOf(
  calling: Calling,
  opened: OpenedServer,
  handle: TaskHandle,
  state: TaskState,
): Promise<ToolOutput | null> {
  const { context, server, tool, parts } = calling;
  const hidden = await hiddenBy(opened);
  const shown = (text: string): string =>
    storableText(hideSecrets(text.slice(0, MOST_CHARACTERS), hidden, text.length > MOST_CHARACTERS));
  switch (state.status) {
    case 'working':
      if (state.message !== null) context.showProgress(shown(state.message));
      return null;
    case 'ended':
      if (state.result === null) return textOutput('The tool ran, but its output cannot be shown.', true);
      return readResult(
        state.result,
        {
          maxTextCharacters: server.config.max_output_bytes,
          maxMediaCharacters: parts.limits.maxMediaCharacters,
        },
        hidden,
      );
    case 'failed':
      return textOutput(shown(`${server.name}: ${tool.name} failed: ${state.reason}`), true);
    case 'cancelled':
      return textOutput(shown(`${server.name} cancelled the call. ${state.message ?? ''}`.trim()), true);
    case 'input_required':
      return askPerson(calling, opened, handle, state.requests);
    default:
      return state satisfies never;
  }
}

async function askPerson(
  calling: Calling,
  opened: OpenedServer,
  handle: TaskHandle,
  requests: Record<string, unknown>,
): Promise<ToolOutput> {
  const { context, server, tool } = calling;
  try {
    if (Object.keys(requests).length === 0) throw new UnanswerableError('its protocol has no way to answer');
    await askForTask(requests, context);
    throw new UnanswerableError('it asked for nothing');
  } catch (error) {
    if (!(error instanceof UnanswerableError)) throw error;
    await cancelAtServer(calling, opened, handle);
    const text = `${server.name}: ${tool.name} asked a question that cannot be answered here: ${error.message}.`;
    return textOutput(text, true);
  }
}

function deferred({ call, context }: Calling, { beganAt }: TaskHandle, waitMs: number): CallDeferredError {
  const byAge = Math.min(MOST_WAIT_MS, (context.now() - beganAt) * WAIT_SHARE);
  return new CallDeferredError(
    `The task of ${call.name} is at work.`,
    RELEASE_FACTOR * Math.max(waitMs, byAge),
  );
}

/** A turn that ends takes its task with it; one that is released does not. */
async function cancelWithTurn(calling: Calling, opened: OpenedServer, handle: TaskHandle): Promise<void> {
  const reason: unknown = calling.context.endSignal.reason;
  const ends = reason instanceof TurnCancelledError || reason instanceof DeadlineError;
  if (ends) await cancelAtServer(calling, opened, handle);
}

/** Nothing depends on whether the server does it. */
async function cancelAtServer(calling: Calling, opened: OpenedServer, handle: TaskHandle): Promise<void> {
  const { context, parts } = calling;
  const live = { ...context, signal: new AbortController().signal };
  try {
    const cancel = ({ client }: McpConnection, { signal, leftMs }: UseLimit): Promise<void> =>
      cancelTask(client, handle, { signal, timeout: leftMs });
    await onConnection(opened, live, parts, CANCEL_MS, cancel, handle.session);
  } catch (error) {
    context.logger.debug('A task could not be cancelled at its MCP server.', describeFailure(error));
  }
}

/** Each request has a slot of its own: a task that is at work holds none. */
function onTask<Result>(
  { context, server, parts }: Calling,
  opened: OpenedServer,
  { session }: TaskHandle,
  use: (connection: McpConnection, limit: UseLimit) => Promise<Result>,
): Promise<Result> {
  const key = `${context.tenantId} mcp ${server.id}`;
  const send = (): Promise<Result> => onConnection(opened, context, parts, REQUEST_MS, use, session);
  return parts.guard.run(key, context.signal, send, { isFailure: isServerFailure });
}
