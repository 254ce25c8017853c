import { mayRepeat, OutcomeUnknownError, TerminalError } from '@turnpike/contract';
import type { ToolCallContext, ToolOutput, ToolReceipt } from '@turnpike/contract';
import { isBeyondMost, notMadeReceipt } from './most-calls.ts';
import { closeRound, unknownReceipt, unrecordedReceipts } from './close-round.ts';
import type { ToolRunner, TurnLease } from './ports.ts';
import { commit, isAnswered, noteCall, noteReceipt, type OpenCall, type Progress } from './progress.ts';
import { actionRequired, stepCompleted, stepStarted, toolCompleted, toolStarted } from './turn-events.ts';

/**
 * One round of tool calls, in parallel, committed as a step. No call leaves before its intent is
 * committed, each receipt is committed as it comes, and a call that has one is not made again.
 * Returns true where the round cannot be closed yet, since somebody outside must answer first: then
 * the lease has ended. Throws what the lease and the signal throw; what is committed by then stays.
 */
export async function runTools(lease: TurnLease, progress: Progress, tools: ToolRunner): Promise<boolean> {
  const began = performance.now();
  await settleLostCalls(lease, progress, tools);
  await commitIntents(lease, progress);
  await runStartedCalls(lease, progress, tools);
  const waiting = progress.openCalls.filter((call) => call.awaiting !== null);
  if (waiting.length > 0) return waitOutside(lease, progress, waiting);
  const { step, messages, receipts } = closeRound(progress, performance.now() - began);
  await commit(lease, progress, {
    step,
    messages,
    receipts,
    events: [
      ...receipts.map(toolCompleted),
      stepCompleted(progress.stepCount, step),
      stepStarted(progress.stepCount + 1),
    ],
  });
  return false;
}

/**
 * Calls found `started` under an earlier lease may have left. Those that may be repeated are started
 * again; a tool that can be asked is asked; the rest gets the only honest answer.
 */
async function settleLostCalls(lease: TurnLease, progress: Progress, tools: ToolRunner): Promise<void> {
  const lost = progress.openCalls.filter(
    (call) => call.status === 'started' && !call.ours && !isAnswered(call) && !mayRepeat(call.effect),
  );
  await untilAllEnd(lost.map((call) => settleLostCall(lease, progress, tools, call)));
}

async function settleLostCall(
  lease: TurnLease,
  progress: Progress,
  tools: ToolRunner,
  call: OpenCall,
): Promise<void> {
  const output = call.effect === 'reconcile' ? await askTool(lease, tools, call) : 'unknown';
  if (output === null) noteCall(progress, call.id, { status: 'pending' });
  else if (output === 'unknown') await recordUnknown(lease, progress, call);
  else await recordReceipt(lease, progress, receiptOf(call, output));
}

async function commitIntents(lease: TurnLease, progress: Progress): Promise<void> {
  const starting = progress.openCalls.filter(
    (call) => !isAnswered(call) && !call.ours && call.awaiting === null,
  );
  if (starting.length === 0) return;
  await commit(lease, progress, {
    startedCalls: starting.map((call) => call.id),
    events: starting.map(toolStarted),
  });
  for (const call of starting) noteCall(progress, call.id, { status: 'started', ours: true });
}

async function runStartedCalls(lease: TurnLease, progress: Progress, tools: ToolRunner): Promise<void> {
  const started = progress.openCalls.filter((call) => !isAnswered(call) && call.awaiting === null);
  const closesRound = progress.openCalls.every((call) => call.awaiting === null);
  let running = started.length;
  await untilAllEnd(
    started.map(async (call) => {
      const receipt = await runCall(lease, progress, call, tools);
      running -= 1;
      if (receipt === null && call.effect === 'reconcile') {
        return settleUnanswered(lease, progress, tools, call);
      }
      if (receipt === null) return recordUnknown(lease, progress, call);
      noteReceipt(progress, receipt, false);
      // The last one is committed with the step itself, or with the wait.
      if (running === 0 && closesRound) return undefined;
      return recordReceipt(lease, progress, receipt);
    }),
  );
}

/** Each call is seen to its end, and what came of it is committed, before the first failure is thrown. */
async function untilAllEnd(calls: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** It was sent a moment ago: that the tool does not know of it yet does not mean that it will not happen. */
async function settleUnanswered(
  lease: TurnLease,
  progress: Progress,
  tools: ToolRunner,
  call: OpenCall,
): Promise<void> {
  const output = await askTool(lease, tools, call);
  if (output === null || output === 'unknown') await recordUnknown(lease, progress, call);
  else await recordReceipt(lease, progress, receiptOf(call, output));
}

/** Null where the call never arrived, `unknown` where the tool cannot tell. */
async function askTool(
  lease: TurnLease,
  tools: ToolRunner,
  call: OpenCall,
): Promise<ToolOutput | null | 'unknown'> {
  try {
    lease.assertHeld();
    return await tools.reconcile(lease.turn, call, contextOf(lease, lease.endSignal));
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return 'unknown';
    throw error;
  }
}

function receiptOf(call: OpenCall, output: ToolOutput): ToolReceipt {
  return { id: call.id, status: 'completed', output: output.content, isError: output.isError };
}

/** Null where nobody knows how the call ended. */
async function runCall(
  lease: TurnLease,
  progress: Progress,
  call: OpenCall,
  tools: ToolRunner,
): Promise<ToolReceipt | null> {
  // A worker that stops cuts off what the next one can repeat. What may be sent only once is left to
  // finish, since to cut it off would make its outcome unknown for nothing.
  const signal = mayRepeat(call.effect) ? lease.signal : lease.endSignal;
  if (isBeyondMost(progress.openCalls.findIndex(({ id }) => id === call.id))) return notMadeReceipt(call.id);
  try {
    lease.assertHeld();
    signal.throwIfAborted();
    noteCall(progress, call.id, { left: true });
    const output = await tools.run(lease.turn, call, contextOf(lease, signal));
    return receiptOf(call, output);
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return null;
    throw error;
  }
}

function contextOf(lease: TurnLease, signal: AbortSignal): ToolCallContext {
  const { id: turnId, tenantId, sessionId, epoch } = lease.turn;
  return {
    tenantId,
    turnId,
    sessionId,
    epoch,
    now: () => lease.now(),
    assertHeld: () => lease.assertHeld(),
    signal,
  };
}

async function recordReceipt(lease: TurnLease, progress: Progress, receipt: ToolReceipt): Promise<void> {
  await commit(lease, progress, { receipts: [receipt], events: [toolCompleted(receipt)] });
  noteReceipt(progress, receipt, true);
}

/** A call that may not be sent again and whose outcome nobody knows: what the tool's owner wants done. */
async function recordUnknown(lease: TurnLease, progress: Progress, call: OpenCall): Promise<void> {
  const receipt = unknownReceipt(call);
  if (call.onUnknown === 'tell_model') {
    await recordReceipt(lease, progress, receipt);
  } else if (call.onUnknown === 'ask') {
    await commit(lease, progress, { awaitingOutcome: [call.id], events: [toolCompleted(receipt)] });
    noteCall(progress, call.id, { status: 'unknown', awaiting: 'outcome' });
  } else {
    await recordReceipt(lease, progress, receipt);
    throw new TerminalError('tool_outcome_unknown', `It is not known whether ${call.name} took effect.`);
  }
}

/** The turn waits; nobody holds it meanwhile. Returns false where it was asked to cancel instead. */
async function waitOutside(
  lease: TurnLease,
  progress: Progress,
  waiting: readonly OpenCall[],
): Promise<boolean> {
  const receipts = unrecordedReceipts(progress);
  const timeoutMs = lease.turn.agent.action_timeout_ms;
  const { status } = await commit(lease, progress, {
    receipts,
    action: { timeoutMs },
    events: [...receipts.map(toolCompleted), actionRequired(waiting, timeoutMs)],
  });
  for (const receipt of receipts) noteReceipt(progress, receipt, true);
  return status === 'requires_action';
}
