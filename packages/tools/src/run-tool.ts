import { mayRepeat, OutcomeUnknownError, type Effect, type ToolOutput } from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import type { Logger, LogFields } from '@turnpike/telemetry';
import { boundOutput, type OutputLimits } from './bound-output.ts';
import { callFields } from './call-fields.ts';
import { describeFailure } from './describe-failure.ts';
import { limitCall, type CallLimit } from './limit-call.ts';
import { textOutput, type Tool, type ToolContext } from './tool.ts';
import { wasHeldBack } from './was-held-back.ts';

export interface RunParts {
  guard: CallGuard;
  /** Milliseconds, from when the call has its place. */
  deadlineMs: number;
  output: OutputLimits;
  logger: Logger;
}

/**
 * Runs one call of a builtin tool within its deadline and the room that its tenant has for it. A tool that
 * ignores its signal is left behind at the deadline; what it brings later is dropped, and its place is
 * taken until then.
 * Throws `OutcomeUnknownError` where a call that must not be repeated gave no answer, and the
 * signal's reason, at once, where the turn is to stop.
 */
export async function runTool(
  tool: Tool,
  input: unknown,
  effect: Effect,
  context: ToolContext,
  parts: RunParts,
): Promise<ToolOutput> {
  context.signal.throwIfAborted();
  const { logger, deadlineMs } = parts;
  const fields = callFields(tool.name, context.callId, context);
  let limit: CallLimit | undefined;
  const answered = new Promise<unknown>((resolve, reject) => {
    const start = (): Promise<unknown> => {
      limit = limitCall(context.signal, deadlineMs);
      limit.ended.catch(reject);
      return startTool(tool, input, { ...context, signal: limit.signal });
    };
    // One tool is many places at once to ask: that one of them is down says nothing of the others.
    const held = parts.guard.run(keyOf(tool, context), context.signal, start, { isFailure: () => false });
    const end = (): void => {
      if (limit?.expired()) logger.debug('A tool ended after its deadline; its result is dropped.', fields);
    };
    held.then(end, end);
    held.then(resolve, reject);
  });
  try {
    return readOutput(await answered, fields, parts);
  } catch (error) {
    context.signal.throwIfAborted();
    if (wasHeldBack(error)) {
      logger.warn('A tool has no room for another call.', fields);
      return textOutput(`${tool.name} is busy with other calls. Nothing was done; try again later.`, true);
    }
    if (limit?.expired()) {
      logger.warn('A tool gave no answer by its deadline.', { ...fields, deadline_ms: deadlineMs });
      const message = `${tool.name} timed out: no answer within ${deadlineMs} ms.`;
      return withoutAnswer(new OutcomeUnknownError('tool_timeout', message), effect);
    }
    if (error instanceof OutcomeUnknownError) return withoutAnswer(error, effect);
    logger.error('A tool failed.', { ...fields, ...describeFailure(error) });
    return textOutput(mayRepeat(effect) ? FAILED : FAILED_MIDWAY, true);
  } finally {
    limit?.release();
  }
}

const FAILED = 'The tool failed inside. Nothing more is known.';
const FAILED_MIDWAY =
  'The tool failed inside, and may have taken effect before. Check before you repeat the call.';

function keyOf(tool: Tool, { tenantId }: ToolContext): string {
  return `${tenantId} builtin ${tool.name}`;
}

/** Also a tool that throws before its first await is one that failed. */
async function startTool(tool: Tool, input: unknown, context: ToolContext): Promise<unknown> {
  context.signal.throwIfAborted();
  context.assertHeld();
  return tool.run(input, context);
}

function readOutput(output: unknown, fields: LogFields, parts: RunParts): ToolOutput {
  const bounded = boundOutput(output, parts.output);
  if (bounded !== null) return bounded;
  parts.logger.error('A tool gave an output that is none.', fields);
  return textOutput('The tool ran, but its answer cannot be shown.', true);
}

function withoutAnswer(error: OutcomeUnknownError, effect: Effect): ToolOutput {
  if (!mayRepeat(effect)) throw error;
  return textOutput(error.message, true);
}
