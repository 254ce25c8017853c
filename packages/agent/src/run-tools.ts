import {
  CallDeferredError,
  CallSuspendedError,
  mayRepeat,
  OutcomeUnknownError,
  TerminalError,
} from '@turnpike/contract';
import type {
  NewEvent,
  Question,
  ToolCallContext,
  ToolOutput,
  ToolReceipt,
  ToolStep,
} from '@turnpike/contract';
import { isOverCallLimit, skippedReceipt } from './call-limit.ts';
import { closeRound, unknownReceipt, unrecordedReceipts } from './close-round.ts';
import { collectChildren, isOpenChild, startChildren } from './child-turns.ts';
import { commit } from './commit.ts';
import { hasResult, setResult, updateCall, type OpenCall } from './progress.ts';
import {
  actionRequired,
  stepCompleted,
  stepStarted,
  toolCompleted,
  toolDeferred,
  toolStarted,
  toolStepChanged,
  toolSuspended,
} from './turn-events.ts';
import type { TurnRun } from './turn-run.ts';

/**
 * One round of tool calls, in parallel, committed as a step. No call is sent before its intent is committed, each
 * result is committed as it comes, and a call that has one is not made again.
 * Returns true where the round waits for an approval or an output from outside, or for child turns: then the lease has
 * ended. Throws what the lease and the signal throw; what is committed by then stays.
 */
export async function runTools(run: TurnRun): Promise<boolean> {
  const { progress } = run;
  const began = performance.now();
  await settleLostCalls(run);
  await commitIntents(run);
  await startChildren(run);
  await runStartedCalls(run);
  const waiting = progress.openCalls.filter((call) => call.awaiting !== null);
  if (waiting.length > 0) return waitOutside(run, waiting);
  if (!(await collectChildren(run))) return true;
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
 * for those with the effect `reconcile`, and those that left steps, the tool is asked; the outcome of all others is
 * unknown.
 */
async function settleLostCalls(run: TurnRun): Promise<void> {
  const lost = run.progress.openCalls.filter(
    (call) => call.status === 'started' && !call.startedHere && !hasResult(call) && !mayRepeat(call.effect),
  );
  await untilAllEnd(lost.map((call) => settleLostCall(run, call)));
}

async function settleLostCall(run: TurnRun, call: OpenCall): Promise<void> {
  const canBeAsked = call.effect === 'reconcile' || call.steps.length > 0;
  const output = canBeAsked ? await askTool(run, call) : 'unknown';
  if (output === null) updateCall(run.progress, call.id, { status: 'pending' });
  else if (output === 'unknown') await recordUnknown(run, call);
  else await recordReceipt(run, receiptOf(call, output));
}

async function commitIntents(run: TurnRun): Promise<void> {
  const starting = run.progress.openCalls.filter(
    (call) => !hasResult(call) && !call.startedHere && call.awaiting === null && !isOpenChild(call),
  );
  if (starting.length === 0) return;
  await commit(run, {
    startedCalls: starting.map((call) => call.id),
    events: starting.map(toolStarted),
  });
  for (const { id, attempts } of starting) {
    updateCall(run.progress, id, { status: 'started', startedHere: true, attempts: attempts + 1 });
  }
}

async function runStartedCalls(run: TurnRun): Promise<void> {
  const { progress } = run;
  const started = progress.openCalls.filter(
    (call) => !hasResult(call) && call.awaiting === null && !isOpenChild(call),
  );
  const closesRound = progress.openCalls.every((call) => call.awaiting === null && !isOpenChild(call));
  let running = started.length;
  await untilAllEnd(
    started.map(async (call) => {
      const receipt = await runCall(run, call).finally(() => {
        running -= 1;
      });
      if (receipt === 'suspended') return undefined;
      if (receipt === null && call.effect === 'reconcile') return settleUnanswered(run, call);
      if (receipt === null) return recordUnknown(run, call);
      setResult(progress, receipt, false);
      // The last result is committed with the step itself.
      if (running === 0 && closesRound && !isWaiting(run)) return undefined;
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

/** Null where the call may be made again, `unknown` where the tool cannot tell. */
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

/** Whether a call of the round waits for something from outside. */
function isWaiting({ progress }: TurnRun): boolean {
  return progress.openCalls.some((call) => call.awaiting !== null);
}

/** Null where the outcome of the call is unknown. */
async function runCall(run: TurnRun, call: OpenCall): Promise<ToolReceipt | 'suspended' | null> {
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
    if (error instanceof CallSuspendedError) {
      await returnCall(run, call, { question: error.question }, toolSuspended(call));
      return 'suspended';
    }
    if (error instanceof CallDeferredError) {
      await returnCall(run, call, { question: null }, toolDeferred(call, error.retryAfterMs));
    }
    throw error;
  }
}

/** The call is `pending` again: it is made again later, as if for the first time, with the steps that it has. */
async function returnCall(
  run: TurnRun,
  { id }: OpenCall,
  { question }: { question: Question | null },
  event: NewEvent,
): Promise<void> {
  await commit(run, { returnedCalls: [{ id, question }], events: [event] });
  const awaiting = question === null ? null : 'answer';
  updateCall(run.progress, id, { status: 'pending', awaiting, question, startedHere: false, sent: false });
}

/** The turn's context for one call, whose id and tool are on every line that is logged about it. */
function contextOf(run: TurnRun, call: OpenCall, signal: AbortSignal): ToolCallContext {
  const { context, lease, progress } = run;
  const logger = context.logger.child({ tool: call.name, tool_call_id: call.id });
  const current = (): OpenCall => progress.openCalls.find(({ id }) => id === call.id) ?? call;
  return {
    ...context,
    signal,
    endSignal: lease.endSignal,
    logger,
    metadata: { turn: lease.turn.metadata, session: lease.turn.sessionMetadata },
    attempt: current().attempts,
    steps: () => current().steps,
    async commitStep(step) {
      const toolSteps = [{ ...step, toolCallId: call.id }];
      await commit(run, { toolSteps, events: [toolStepChanged(call, step)] });
      updateCall(progress, call.id, { steps: withStep(current().steps, step) });
    },
    showProgress: (shown) => lease.showProgress({ toolCallId: call.id, progress: shown }),
  };
}

function withStep(steps: readonly ToolStep[], step: ToolStep): ToolStep[] {
  return [...steps.filter(({ kind, name }) => kind !== step.kind || name !== step.name), step];
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
