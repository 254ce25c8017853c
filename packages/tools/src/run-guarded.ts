import { once } from 'node:events';
import { OutcomeUnknownError, type Effect, type ToolOutput } from '@turnpike/contract';
import type { Logger } from '@turnpike/telemetry';
import { boundOutput } from './bound-output.ts';
import type { Bulkhead } from './bulkhead.ts';
import { textOutput, type Tool, type ToolContext } from './tool.ts';

export interface Guard {
  bulkhead: Bulkhead;
  deadlineMs: number;
  maxOutputCharacters: number;
  logger: Logger;
}

/**
 * Runs one call within its deadline and its tool's room. A tool that ignores its signal is left
 * behind at the deadline; what it brings later is dropped.
 * Throws `OutcomeUnknownError` where a call that must not be repeated gave no answer, and the
 * signal's reason where the turn is to stop.
 */
export async function runGuarded(
  tool: Tool,
  input: unknown,
  effect: Effect,
  context: ToolContext,
  guard: Guard,
): Promise<ToolOutput> {
  context.signal.throwIfAborted();
  const limit = AbortSignal.timeout(guard.deadlineMs);
  const signal = AbortSignal.any([context.signal, limit]);
  const stop = whenAborted(signal);
  try {
    const running = guard.bulkhead.enter(() => startTool(tool, input, { ...context, signal }));
    if (running === null) return textOutput('This tool is busy with other calls. Try again later.', true);
    return boundOutput(await Promise.race([running, stop.aborted]), guard.maxOutputCharacters);
  } catch (error) {
    context.signal.throwIfAborted();
    const mayRepeat = effect === 'read' || effect === 'idempotent';
    if (limit.aborted) return afterDeadline(tool, guard.deadlineMs, mayRepeat);
    if (error instanceof OutcomeUnknownError && !mayRepeat) throw error;
    if (error instanceof OutcomeUnknownError) return textOutput(error.message, true);
    guard.logger.error('A tool failed.', { tool: tool.name, tool_call_id: context.callId, error });
    return textOutput('The tool failed inside. Nothing more is known.', true);
  } finally {
    stop.release();
  }
}

/** Also a tool that throws before its first await is one that failed. */
async function startTool(tool: Tool, input: unknown, context: ToolContext): Promise<ToolOutput> {
  return tool.run(input, context);
}

function afterDeadline(tool: Tool, deadlineMs: number, mayRepeat: boolean): ToolOutput {
  const message = `${tool.name} gave no answer within ${deadlineMs} ms.`;
  if (!mayRepeat) throw new OutcomeUnknownError('tool_timeout', message);
  return textOutput(message, true);
}

function whenAborted(signal: AbortSignal): { aborted: Promise<never>; release: () => void } {
  const released = new AbortController();
  const aborted = once(signal, 'abort', { signal: released.signal }).then(() => {
    throw signal.reason;
  });
  // Nobody may be waiting for it when it comes.
  aborted.catch(() => undefined);
  return { aborted, release: () => released.abort() };
}
