import { mayRepeat, OutcomeUnknownError, type Effect, type ToolOutput } from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import { boundOutput, type OutputLimits } from './bound-output.ts';
import { describeFailure } from './describe-failure.ts';
import { limitCall, type CallLimit } from './limit-call.ts';
import { textOutput, type Tool, type ToolContext } from './tool.ts';
import { wasRejected } from './was-rejected.ts';

export interface RunParts {
  guard: CallGuard;
  /** Milliseconds, from when the call has its slot. */
  deadlineMs: number;
  output: OutputLimits;
}

/**
 * Runs one call of a builtin tool within its deadline and its tenant's concurrency limit. A tool that ignores its
 * signal is not waited for after the deadline; its later result is dropped, and its slot is held until then.
 * Throws `OutcomeUnknownError` where a call that must not be repeated gave no result, and the signal's reason, at
 * once, where the turn is to stop.
 */
export async function runTool(
  tool: Tool,
  input: unknown,
  effect: Effect,
  context: ToolContext,
  parts: RunParts,
): Promise<ToolOutput> {
  context.signal.throwIfAborted();
  const { deadlineMs } = parts;
  const { logger } = context;
  let limit: CallLimit | undefined;
  const result = new Promise<unknown>((resolve, reject) => {
    const start = (): Promise<unknown> => {
      limit = limitCall(context.signal, deadlineMs);
      limit.ended.catch(reject);
      return startTool(tool, input, { ...context, signal: limit.signal });
    };
    // One tool may reach many services: that one of them is down says nothing about the others.
    const held = parts.guard.run(keyOf(tool, context), context.signal, start, { isFailure: () => false });
    const end = (): void => {
      if (limit?.expired()) logger.debug('A tool ended after its deadline; its result is dropped.');
    };
    held.then(end, end);
    held.then(resolve, reject);
  });
  try {
    return readOutput(await result, context, parts);
  } catch (error) {
    context.signal.throwIfAborted();
    if (wasRejected(error)) {
      logger.warn('A tool call was rejected: too many calls of the tool are running.');
      return textOutput(`${tool.name} is busy with other calls. Nothing was done; try again later.`, true);
    }
    if (limit?.expired()) {
      logger.warn('A tool call timed out.', { deadline_ms: deadlineMs });
      const message = `${tool.name} timed out: no result within ${deadlineMs} ms.`;
      return withoutResult(new OutcomeUnknownError('tool_timeout', message), effect);
    }
    if (error instanceof OutcomeUnknownError) return withoutResult(error, effect);
    logger.error('A tool failed.', describeFailure(error));
    return textOutput(mayRepeat(effect) ? FAILED : FAILED_MIDWAY, true);
  } finally {
    limit?.release();
  }
}

const FAILED = 'The tool failed with an internal error.';
const FAILED_MIDWAY =
  'The tool failed with an internal error, and may have taken effect before. Check before you repeat the call.';

function keyOf(tool: Tool, { tenantId }: ToolContext): string {
  return `${tenantId} builtin ${tool.name}`;
}

/** Async, so that a tool that throws before its first await rejects too. */
async function startTool(tool: Tool, input: unknown, context: ToolContext): Promise<unknown> {
  context.signal.throwIfAborted();
  context.assertHeld();
  return tool.run(input, context);
}

function readOutput(output: unknown, { logger }: ToolContext, parts: RunParts): ToolOutput {
  const bounded = boundOutput(output, parts.output);
  if (bounded !== null) return bounded;
  logger.error('A tool returned an invalid output.');
  return textOutput('The tool ran, but its output cannot be shown.', true);
}

function withoutResult(error: OutcomeUnknownError, effect: Effect): ToolOutput {
  if (!mayRepeat(effect)) throw error;
  return textOutput(error.message, true);
}
