import { OutcomeUnknownError, type Effect, type ToolOutput } from '@turnpike/contract';
import type { Logger, LogFields } from '@turnpike/telemetry';
import { boundOutput, type OutputLimits } from './bound-output.ts';
import type { Bulkhead } from './bulkhead.ts';
import { describeFailure } from './describe-failure.ts';
import { limitCall } from './limit-call.ts';
import { mayRepeat, textOutput, type Tool, type ToolContext } from './tool.ts';

export interface Guard {
  bulkhead: Bulkhead;
  /** Milliseconds, from when the call has its place. */
  deadlineMs: number;
  output: OutputLimits;
  logger: Logger;
}

/**
 * Runs one call within its deadline and its tool's room. A tool that ignores its signal is left
 * behind at the deadline; what it brings later is dropped.
 * Throws `OutcomeUnknownError` where a call that must not be repeated gave no answer, and the
 * signal's reason, at once, where the turn is to stop.
 */
export async function runTool(
  tool: Tool,
  input: unknown,
  effect: Effect,
  context: ToolContext,
  guard: Guard,
): Promise<ToolOutput> {
  const { logger } = guard;
  const fields: LogFields = { tool: tool.name, tool_call_id: context.callId };
  const leave = await guard.bulkhead.enter(context.signal);
  if (leave === null) {
    logger.warn('A tool has no room for another call.', fields);
    return textOutput(`${tool.name} is busy with other calls. Nothing was done; try again later.`, true);
  }
  const limit = limitCall(context.signal, guard.deadlineMs);
  const running = startTool(tool, input, { ...context, signal: limit.signal });
  const end = (): void => {
    leave();
    if (limit.expired()) logger.debug('A tool ended after its deadline; its result is dropped.', fields);
  };
  running.then(end, end);
  try {
    return readOutput(await Promise.race([running, limit.ended]), fields, guard);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.expired()) {
      logger.warn('A tool gave no answer by its deadline.', { ...fields, deadline_ms: guard.deadlineMs });
      return withoutAnswer(
        new OutcomeUnknownError(
          'tool_timeout',
          `${tool.name} timed out: no answer within ${guard.deadlineMs} ms.`,
        ),
        effect,
      );
    }
    if (error instanceof OutcomeUnknownError) return withoutAnswer(error, effect);
    logger.error('A tool failed.', { ...fields, ...describeFailure(error) });
    return textOutput(mayRepeat(effect) ? FAILED : FAILED_MIDWAY, true);
  } finally {
    limit.release();
  }
}

const FAILED = 'The tool failed inside. Nothing more is known.';
const FAILED_MIDWAY =
  'The tool failed inside, and may have taken effect before. Check before you repeat the call.';

/** Also a tool that throws before its first await is one that failed. */
async function startTool(tool: Tool, input: unknown, context: ToolContext): Promise<unknown> {
  context.signal.throwIfAborted();
  return tool.run(input, context);
}

function readOutput(output: unknown, fields: LogFields, guard: Guard): ToolOutput {
  const bounded = boundOutput(output, guard.output);
  if (bounded !== null) return bounded;
  guard.logger.error('A tool gave an output that is none.', fields);
  return textOutput('The tool ran, but its answer cannot be shown.', true);
}

function withoutAnswer(error: OutcomeUnknownError, effect: Effect): ToolOutput {
  if (!mayRepeat(effect)) throw error;
  return textOutput(error.message, true);
}
