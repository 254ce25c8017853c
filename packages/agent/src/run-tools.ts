import { mayRepeat, OutcomeUnknownError, TerminalError } from '@turnpike/contract';
import type { ToolOutput, ToolReceipt, TurnContext } from '@turnpike/contract';
import { isOverCallLimit, skippedReceipt } from './call-limit.ts';
import { closeRound, unknownReceipt, unrecordedReceipts } from './close-round.ts';
import { commit } from './commit.ts';
import { hasResult, setResult, updateCall, type OpenCall } from './progress.ts';
import { actionRequired, stepCompleted, stepStarted, toolCompleted, toolStarted } from './turn-events.ts';
import type { TurnRun } from './turn-run.ts';

/**
 * One round of tool calls, in parallel, committed as a step. No call is sent before its intent is committed, each
 * result is committed as it comes, and a call that has one is not made again.
 * Returns true where the round waits for an approval or an output from outside: then the lease has ended. Throws
 * what the lease and the signal throw; what is committed by then stays.
 */
export async function runTools(run: TurnRun): Promise<boolean> {
  const { progress } = run;
  const began = performance.now();
  await settleLostCalls(run);
  await commitIntents(run);
  await runStartedCalls(run);
  const waiting = progress.openCalls.filter((call) => call.awaiting !== null);
  if (waiting.length > 0) return waitOutside(run, waiting);
  const { step, messages, receipts } = closeRound(progress, performance.now() - began);
  await commit(run, {
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
 * Calls that were `started` under an earlier lease may have been sent. Those that may be repeated are started again;
 * for those with the effect `reconcile` the tool is asked; the outcome of all others is unknown.
 */
async function settleLostCalls(run: TurnRun): Promise<void> {
  const lost = run.progress.openCalls.filter(
    (call) => call.status === 'started' && !call.startedHere && !hasResult(call) && !mayRepeat(call.effect),
  );
  await untilAllEnd(lost.map((call) => settleLostCall(run, call)));
}

async function settleLostCall(run: TurnRun, call: OpenCall): Promise<void> {
  const output = call.effect === 'reconcile' ? await askTool(run, call) : 'unknown';
  if (output === null) updateCall(run.progress, call.id, { status: 'pending' });
  else if (output === 'unknown') await recordUnknown(run, call);
  else await recordReceipt(run, receiptOf(call, output));
}

async function commitIntents(run: TurnRun): Promise<void> {
  const starting = run.progress.openCalls.filter(
    (call) => !hasResult(call) && !call.startedHere && call.awaiting === null,
  );
  if (starting.length === 0) return;
  await commit(run, {
    startedCalls: starting.map((call) => call.id),
    events: starting.map(toolStarted),
  });
  for (const call of starting) updateCall(run.progress, call.id, { status: 'started', startedHere: true });
}

async function runStartedCalls(run: TurnRun): Promise<void> {
  const { progress } = run;
  const started = progress.openCalls.filter((call) => !hasResult(call) && call.awaiting === null);
  const closesRound = progress.openCalls.every((call) => call.awaiting === null);
  let running = started.length;
  await untilAllEnd(
    started.map(async (call) => {
      const receipt = await runCall(run, call);
      running -= 1;
      if (receipt === null && call.effect === 'reconcile') return settleUnanswered(run, call);
      if (receipt === null) return recordUnknown(run, call);
      setResult(progress, receipt, false);
      // The last result is committed with the step itself.
      if (running === 0 && closesRound) return undefined;
      return recordReceipt(run, receipt);
    }),
  );
}

/** Waits for all calls, whose results are committed, before the first failure is thrown. */
async function untilAllEnd(calls: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** It was sent a moment ago: that the tool does not know of it yet does not mean that it will not arrive. */
async function settleUnanswered(run: TurnRun, call: OpenCall): Promise<void> {
  const output = await askTool(run, call);
  if (output === null || output === 'unknown') await recordUnknown(run, call);
  else await recordReceipt(run, receiptOf(call, output));
}

/** Null where the call never arrived, `unknown` where the tool cannot tell. */
async function askTool(run: TurnRun, call: OpenCall): Promise<ToolOutput | null | 'unknown'> {
  const { lease, tools } = run;
  try {
    lease.assertHeld();
    return await tools.reconcile(lease.turn, call, contextOf(run, call, lease.endSignal));
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return 'unknown';
    throw error;
  }
}

function receiptOf(call: OpenCall, output: ToolOutput): ToolReceipt {
  return { id: call.id, status: 'completed', output: output.content, isError: output.isError };
}

/** Null where the outcome of the call is unknown. */
async function runCall(run: TurnRun, call: OpenCall): Promise<ToolReceipt | null> {
  const { lease, progress, tools } = run;
  // A drain interrupts calls that the next worker can repeat. A call that may be sent only once is left to finish:
  // its outcome would become unknown otherwise.
  const signal = mayRepeat(call.effect) ? lease.signal : lease.endSignal;
  if (isOverCallLimit(progress.openCalls.findIndex(({ id }) => id === call.id)))
    return skippedReceipt(call.id);
  try {
    lease.assertHeld();
    signal.throwIfAborted();
    updateCall(progress, call.id, { sent: true });
    const output = await tools.run(lease.turn, call, contextOf(run, call, signal));
    return receiptOf(call, output);
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return null;
    throw error;
  }
}

/** The turn's context for one call, whose id and tool are on every line that is logged about it. */
function contextOf({ context }: TurnRun, call: OpenCall, signal: AbortSignal): TurnContext {
  const logger = context.logger.child({ tool: call.name, tool_call_id: call.id });
  return { ...context, signal, logger };
}

async function recordReceipt(run: TurnRun, receipt: ToolReceipt): Promise<void> {
  await commit(run, { receipts: [receipt], events: [toolCompleted(receipt)] });
  setResult(run.progress, receipt, true);
}

/** A call that may not be sent again and whose outcome is unknown is handled as its tool's `on_unknown` says. */
async function recordUnknown(run: TurnRun, call: OpenCall): Promise<void> {
  const receipt = unknownReceipt(call);
  if (call.onUnknown === 'tell_model') {
    await recordReceipt(run, receipt);
  } else if (call.onUnknown === 'ask') {
    await commit(run, { awaitingOutcome: [call.id], events: [toolCompleted(receipt)] });
    updateCall(run.progress, call.id, { status: 'unknown', awaiting: 'outcome' });
  } else {
    await recordReceipt(run, receipt);
    throw new TerminalError('tool_outcome_unknown', `It is not known whether ${call.name} took effect.`);
  }
}

/** The turn waits, and holds no worker meanwhile. Returns false where it was asked to cancel instead. */
async function waitOutside(run: TurnRun, waiting: readonly OpenCall[]): Promise<boolean> {
  const receipts = unrecordedReceipts(run.progress);
  const timeoutMs = run.lease.turn.agent.action_timeout_ms;
  const { status } = await commit(run, {
    receipts,
    action: { timeoutMs },
    events: [...receipts.map(toolCompleted), actionRequired(waiting, timeoutMs)],
  });
  for (const receipt of receipts) setResult(run.progress, receipt, true);
  return status === 'requires_action';
}
