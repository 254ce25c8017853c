import { OutcomeUnknownError, TerminalError } from '@turnpike/contract';
import type { ToolCallContext, ToolReceipt } from '@turnpike/contract';
import { closeRound, unknownReceipt, unrecordedReceipts } from './close-round.ts';
import type { ToolRunner, TurnLease } from './ports.ts';
import {
  commit,
  isAnswered,
  mayRepeat,
  noteCall,
  noteReceipt,
  type OpenCall,
  type Progress,
} from './progress.ts';
import { outliveDrain } from './outlive-drain.ts';
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
    (call) => call.status === 'started' && !call.ours && !isAnswered(call) && !mayRepeat(call),
  );
  await untilAllEnd(lost.map((call) => settleLostCall(lease, progress, tools, call)));
}

async function settleLostCall(
  lease: TurnLease,
  progress: Progress,
  tools: ToolRunner,
  call: OpenCall,
): Promise<void> {
  if (call.effect !== 'reconcile') {
    await recordUnknown(lease, progress, call);
    return;
  }
  try {
    lease.assertHeld();
    const output = await tools.reconcile(lease.turn, call, contextOf(lease, lease.signal));
    if (output === null) noteCall(progress, call.id, { status: 'pending' });
    else
      await recordReceipt(lease, progress, {
        id: call.id,
        status: 'completed',
        output: output.content,
        isError: output.isError,
      });
  } catch (error) {
    if (!(error instanceof OutcomeUnknownError)) throw error;
    await recordUnknown(lease, progress, call);
  }
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
      const receipt = await runCall(lease, call, tools);
      running -= 1;
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

/** Null where nobody knows how the call ended. */
async function runCall(lease: TurnLease, call: OpenCall, tools: ToolRunner): Promise<ToolReceipt | null> {
  const { signal, release } = mayRepeat(call)
    ? { signal: lease.signal, release: () => undefined }
    : outliveDrain(lease.signal);
  try {
    lease.assertHeld();
    const output = await tools.run(lease.turn, call, contextOf(lease, signal));
    return { id: call.id, status: 'completed', output: output.content, isError: output.isError };
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return null;
    throw error;
  } finally {
    release();
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
    await commit(lease, progress, { askedAbout: [call.id], events: [toolCompleted(receipt)] });
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
  const { status } = await commit(lease, progress, {
    receipts,
    action: { timeoutMs: lease.turn.agent.action_timeout_ms },
    events: [...receipts.map(toolCompleted), actionRequired(waiting)],
  });
  for (const receipt of receipts) noteReceipt(progress, receipt, true);
  return status === 'requires_action';
}
