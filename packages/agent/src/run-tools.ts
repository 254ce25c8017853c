import { DrainError, NO_USAGE, newId, OutcomeUnknownError } from '@turnpike/contract';
import type { CompletedStep, ContentBlock, Message, ToolReceipt } from '@turnpike/contract';
import type { ToolRunner, TurnLease } from './ports.ts';
import { isAnswered, noteReceipt, noteStep, type OpenCall, type Progress } from './progress.ts';
import { stepCompleted, stepStarted, toolCompleted, toolStarted } from './turn-events.ts';

const UNKNOWN_OUTCOME =
  'It is not known whether this call took effect: it was sent, and no answer was recorded. ' +
  'It was not sent again. Check before you repeat it.';

/**
 * One round of tool calls, in parallel, committed as a step. No call leaves before its intent is
 * committed, each receipt is committed as it comes, and a call that has one is not made again.
 * Throws what the lease and the signal throw; what is committed by then stays.
 */
export async function runTools(lease: TurnLease, progress: Progress, tools: ToolRunner): Promise<void> {
  const began = performance.now();
  await commitIntents(lease, progress);
  await runOpenCalls(lease, progress, tools);
  const { step, messages, receipts } = closeRound(progress, performance.now() - began);
  await lease.advance({
    step,
    messages,
    receipts,
    events: [
      ...receipts.map(toolCompleted),
      stepCompleted(progress.stepCount, step),
      stepStarted(progress.stepCount + 1),
    ],
  });
  noteStep(progress, step, messages);
}

/**
 * Calls found `started` under an earlier lease may have left. Those that may be repeated are
 * started again; those that may not get the only honest answer.
 */
async function commitIntents(lease: TurnLease, progress: Progress): Promise<void> {
  const waiting = progress.openCalls.filter((call) => !isAnswered(call) && !call.ours);
  const lost = waiting.filter((call) => call.status === 'started' && !mayRepeat(call));
  const starting = waiting.filter((call) => !lost.includes(call));
  if (waiting.length === 0) return;
  const receipts = lost.map(unknownReceipt);
  await lease.advance({
    startedCalls: starting.map((call) => call.id),
    receipts,
    events: [...receipts.map(toolCompleted), ...starting.map(toolStarted)],
  });
  for (const receipt of receipts) noteReceipt(progress, receipt, true);
  progress.openCalls = progress.openCalls.map((call) =>
    starting.includes(call) ? { ...call, status: 'started', ours: true } : call,
  );
}

async function runOpenCalls(lease: TurnLease, progress: Progress, tools: ToolRunner): Promise<void> {
  const open = progress.openCalls.filter((call) => !isAnswered(call));
  let running = open.length;
  const results = await Promise.allSettled(
    open.map(async (call) => {
      const receipt = await runCall(lease, call, tools);
      running -= 1;
      noteReceipt(progress, receipt, false);
      // The last one is committed with the step itself.
      if (running === 0) return;
      await lease.advance({ receipts: [receipt], events: [toolCompleted(receipt)] });
      noteReceipt(progress, receipt, true);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function runCall(lease: TurnLease, call: OpenCall, tools: ToolRunner): Promise<ToolReceipt> {
  const { turn } = lease;
  const { signal, release } = signalFor(call, lease.signal);
  try {
    lease.assertHeld();
    const output = await tools.run(turn.agent, call, { tenantId: turn.tenantId, turnId: turn.id, signal });
    return { id: call.id, status: 'completed', output: output.content, isError: output.isError };
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return unknownReceipt(call);
    throw error;
  } finally {
    release();
  }
}

/**
 * A worker that stops cuts off what the next one can repeat. What may be sent only once is left
 * to finish: to cut it off would make its outcome unknown for nothing.
 */
function signalFor(call: OpenCall, signal: AbortSignal): { signal: AbortSignal; release: () => void } {
  if (mayRepeat(call)) return { signal, release: () => undefined };
  const controller = new AbortController();
  const follow = (): void => {
    if (!(signal.reason instanceof DrainError)) controller.abort(signal.reason);
  };
  if (signal.aborted) follow();
  signal.addEventListener('abort', follow);
  return { signal: controller.signal, release: () => signal.removeEventListener('abort', follow) };
}

/**
 * The step that closes a round: every call has its answer in one user message. A call that has
 * none, since the turn was stopped meanwhile, is answered with `otherwise`.
 */
export function closeRound(
  progress: Progress,
  durationMs: number,
  otherwise = '',
): { step: CompletedStep; messages: Message[]; receipts: ToolReceipt[] } {
  const closed = progress.openCalls.map((call) => (isAnswered(call) ? call : stopped(call, otherwise)));
  const step: CompletedStep = {
    id: newId('step'),
    type: 'tool_calls',
    model: null,
    stopReason: null,
    usage: NO_USAGE,
    attempts: 1,
    providerRequestId: null,
    durationMs,
  };
  const receipts = closed
    .filter((call) => !call.recorded)
    .map((call): ToolReceipt => {
      const status = call.status === 'unknown' ? 'unknown' : 'completed';
      return { id: call.id, status, output: call.output ?? [], isError: call.isError };
    });
  return { step, messages: [{ role: 'user', content: closed.map(resultBlock) }], receipts };
}

function stopped(call: OpenCall, otherwise: string): OpenCall {
  if (call.status === 'started' && !mayRepeat(call)) return { ...call, ...unknownReceipt(call) };
  return { ...call, status: 'completed', output: [{ type: 'text', text: otherwise }], isError: true };
}

function mayRepeat(call: OpenCall): boolean {
  return call.effect === 'read' || call.effect === 'idempotent';
}

function unknownReceipt(call: OpenCall): ToolReceipt {
  return {
    id: call.id,
    status: 'unknown',
    output: [{ type: 'text', text: UNKNOWN_OUTCOME }],
    isError: true,
  };
}

function resultBlock(call: OpenCall): ContentBlock {
  return {
    type: 'tool_result',
    tool_use_id: call.toolUseId,
    content: call.output ?? [],
    ...(call.isError ? { is_error: true } : {}),
  };
}
