import {
  CallDeferredError,
  CallSuspendedError,
  DrainError,
  LeaseLostError,
  mayRepeat,
  OutcomeUnknownError,
  RetryableError,
  TerminalError,
  type ToolCall,
  type ToolCallContext,
  type ToolOutput,
} from '@turnpike/contract';
import { describeFailure, limitCall, textOutput, wasRejected, type CallLimit } from '@turnpike/tools';
import type { CodeTool } from '../define-tool.ts';
import type { CodeToolCall } from '../tool-call.ts';
import { createSuspend } from './ask-question.ts';
import { ThreadEndedError } from '../isolate/isolated-tools.ts';
import type { CodeParts } from './code-parts.ts';
import { CodeRun } from './code-run.ts';
import { DurableSteps } from './durable-steps.ts';
import { explainThrown } from './explain-thrown.ts';
import { openSecrets, type OpenedSecrets } from './open-secrets.ts';
import { readableError } from './readable-error.ts';
import { ProgressPace } from './pace-progress.ts';
import { createToolFetch } from './tool-fetch.ts';
import { inToolScope } from './tool-scope.ts';

export interface GivenCall {
  tool: CodeTool;
  call: ToolCall;
  context: ToolCallContext;
  parts: CodeParts;
}

/** How long the turn of a call waits that cannot go on now. */
const RESUME_AFTER_MS = 2_000;

/** What of a tool's code is run, and what becomes of its end. */
export interface CodeWork<Output> {
  isReconcile: boolean;
  work(call: CodeToolCall, endSignal: AbortSignal): unknown;
  read(returned: unknown, secrets: readonly string[]): Promise<Output>;
  /** An error for the model. */
  failed(output: ToolOutput): Output;
}

/**
 * Runs one call of a tool in code within its time and its tenant's concurrency limit. Code that ignores its signal is
 * not waited for after that time; what it returns later is dropped.
 * Throws `OutcomeUnknownError` where it may have acted and gave no result, `CallSuspendedError`, `CallDeferredError`,
 * `TerminalError` (`tool_failed_turn`), `RetryableError` where its secrets are unavailable and it was not run,
 * `LeaseLostError`, and the signal's reason.
 */
export async function runCode<Output>(given: GivenCall, work: CodeWork<Output>): Promise<Output> {
  const { tool, context } = given;
  const opened = await openOrExplain(given);
  if ('refusal' in opened) return work.failed(textOutput(opened.refusal, true));
  const secrets = Object.values(opened.values);
  let limit: CallLimit | undefined;
  try {
    const returned = await new Promise<unknown>((resolve, reject) => {
      const start = (): Promise<unknown> => {
        limit = limitCall(context.endSignal, tool.timeoutMs);
        limit.ended.catch(reject);
        return startRun(given, work, limit.signal, opened);
      };
      const key = `${context.tenantId} code ${tool.name}`;
      given.parts.guard.run(key, context.signal, start, { isFailure: () => false }).then(resolve, reject);
    });
    return await work.read(returned, secrets);
  } catch (thrown) {
    context.signal.throwIfAborted();
    return work.failed(explainEnd(readableError(thrown), given, limit?.expired() === true, secrets));
  } finally {
    limit?.release();
  }
}

/** Runs the code until it returns, or the run ends. Async, so that code that throws before its first await rejects too. */
async function startRun<Output>(
  { tool, call, context, parts }: GivenCall,
  { work, isReconcile }: CodeWork<Output>,
  endSignal: AbortSignal,
  { values: secrets, bound }: Exclude<OpenedSecrets, { refusal: string }>,
): Promise<unknown> {
  context.signal.throwIfAborted();
  context.assertHeld();
  const { logger } = context;
  const { effect, timeoutMs } = tool;
  const run = new CodeRun({ tool: tool.name, toolCallId: call.id, logger, effect }, endSignal);
  const values = Object.values(secrets);
  const pace = new ProgressPace((shown) => context.showProgress(shown), values);
  const steps = new DurableSteps({ tool, context, run, tracing: parts.tracing, secrets: values });
  const refuse = (): never => {
    throw new TypeError(`${tool.name}: reconcile only looks, so it has no steps and no questions.`);
  };
  const abort = new AbortController();
  const stop = (): void => {
    abort.abort(context.signal.reason);
    // A drain waits for the steps in progress: the next worker could not know what became of them.
    if (!endSignal.aborted && context.signal.reason instanceof DrainError)
      void run.end(context.signal.reason);
  };
  context.signal.addEventListener('abort', stop, { once: true });
  const signal = AbortSignal.any([endSignal, abort.signal]);
  const toolCall = {
    idempotencyKey: call.id,
    toolCallId: call.id,
    turnId: context.turnId,
    sessionId: context.sessionId,
    tenantId: context.tenantId,
    metadata: context.metadata,
    attempt: context.attempt,
    signal,
    deadline: new Date(context.now() + Math.max(0, Math.min(timeoutMs, context.remainingMs()))),
    secrets,
    log: logger,
    fetch: createToolFetch(parts.send, signal, bound),
    progress: (shown) => pace.add(shown),
    step: isReconcile ? refuse : (name, settings, doStep) => steps.step(name, settings, doStep) as never,
    suspend: isReconcile ? refuse : createSuspend(tool, context, run, values),
  } satisfies CodeToolCall;
  // Code in a thread is ended with its run, however that ends.
  const working = new AbortController();
  const follow = (): void => working.abort(endSignal.reason);
  endSignal.addEventListener('abort', follow, { once: true });
  try {
    const result = inToolScope(run.scope, async () => work(Object.freeze(toolCall), working.signal));
    // Code that is left alone may still throw.
    const isOver = result.then(
      () => undefined,
      () => undefined,
    );
    await Promise.race([isOver, run.ended]);
    // Their outcomes belong to this call, whether the code returned or threw.
    if (run.isInStep && !run.isEnding) {
      logger.warn('A tool ended before its steps did: it does not await them.');
      await Promise.race([run.untilIdle(), run.ended]);
    }
    return await (run.isEnding ? run.ended : result);
  } finally {
    run.close();
    pace.end();
    working.abort(new Error('The call has ended.'));
    endSignal.removeEventListener('abort', follow);
    context.signal.removeEventListener('abort', stop);
  }
}

async function openOrExplain(given: GivenCall): ReturnType<typeof openSecrets> {
  const { tool, context, parts } = given;
  try {
    return await openSecrets(tool, context, parts);
  } catch (error) {
    context.signal.throwIfAborted();
    context.logger.warn('The secrets of a tool could not be decrypted.', describeFailure(error));
    if (error instanceof RetryableError && hasSteps(context)) throw laterAgain(tool);
    if (error instanceof TerminalError && error.code === 'secret_refused') {
      return { refusal: `secret_refused: ${error.message} Nothing was done.` };
    }
    // The next worker could not know that such a call was not made: so the turn is not released for it.
    if (error instanceof RetryableError && mayRepeat(tool.effect)) {
      throw new RetryableError('secret_unavailable', `The secrets of ${tool.name} cannot be read now.`);
    }
    return {
      refusal: `secret_unavailable: The secrets of ${tool.name} cannot be read now. Nothing was done.`,
    };
  }
}

/** Whether an earlier run of the call did something: then it goes on, and the model cannot be told that nothing was done. */
function hasSteps(context: ToolCallContext): boolean {
  return context.steps().length > 0;
}

function laterAgain(tool: CodeTool): CallDeferredError {
  return new CallDeferredError(`${tool.name} cannot go on now.`, RESUME_AFTER_MS);
}

/** How a run ended that gave no result. */
function explainEnd(
  error: Error,
  { tool, context }: GivenCall,
  isExpired: boolean,
  secrets: readonly string[],
): ToolOutput {
  const { logger, attempt } = context;
  if (wasRejected(error)) {
    logger.warn('A tool call was rejected: too many calls of the tool are running.');
    if (hasSteps(context)) throw laterAgain(tool);
    return textOutput(`${tool.name} is busy with other calls. Nothing was done; try again later.`, true);
  }
  if (
    error instanceof CallSuspendedError ||
    error instanceof OutcomeUnknownError ||
    error instanceof LeaseLostError
  ) {
    throw error;
  }
  const hasActed = context
    .steps()
    .some(({ kind, effect, status }) => kind === 'step' && effect === 'once' && status !== 'undone');
  if (isExpired || error instanceof ThreadEndedError) {
    logger.warn(isExpired ? 'A tool call timed out.' : 'A tool was ended.', { deadline_ms: tool.timeoutMs });
    const message =
      error instanceof ThreadEndedError && !isExpired
        ? error.message
        : `${tool.name} timed out: no result within ${tool.timeoutMs} ms.`;
    if (hasActed || !mayRepeat(tool.effect)) throw new OutcomeUnknownError('tool_timeout', message);
    return textOutput(message, true);
  }
  return explainThrown(error, { tool, attempt, hasActed, secrets, logger });
}
