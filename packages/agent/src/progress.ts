import type { ClaimedTurn, CompletedStep, Message, ToolCall, ToolReceipt } from '@turnpike/contract';

/** How far a turn is: what the journal says, kept current while this worker writes to it. */
export interface Progress {
  messages: Message[];
  stepCount: number;
  modelCallCount: number;
  lastStopReason: string | null;
  /** Requests made so far for the step under way. */
  modelAttempts: number;
  /** Calls that the last message asked for and that no message answers yet. */
  openCalls: OpenCall[];
}

export interface OpenCall extends ToolCall {
  /** Its intent was committed under this very lease: if it did not leave, we know. */
  ours: boolean;
  /** Its output is in the journal, not only here. */
  recorded: boolean;
}

export function progressOf(turn: ClaimedTurn): Progress {
  return {
    messages: [...turn.messages],
    stepCount: turn.stepCount,
    modelCallCount: turn.modelCallCount,
    lastStopReason: turn.lastStopReason,
    modelAttempts: turn.modelAttempts,
    openCalls: turn.openToolCalls.map((call) => ({ ...call, ours: false, recorded: isAnswered(call) })),
  };
}

export function isAnswered(call: ToolCall): boolean {
  return call.status === 'completed' || call.status === 'unknown';
}

/** Notes a step that is committed, and the message that it added. */
export function noteStep(progress: Progress, step: CompletedStep, messages: readonly Message[]): void {
  progress.messages.push(...messages);
  progress.stepCount += 1;
  progress.modelAttempts = 0;
  progress.openCalls = [];
  if (step.type === 'model_call') {
    progress.modelCallCount += 1;
    progress.lastStopReason = step.stopReason;
  }
}

/** Notes how a call ended, here only; `recorded` once it is committed. */
export function noteReceipt(progress: Progress, receipt: ToolReceipt, recorded: boolean): void {
  progress.openCalls = progress.openCalls.map((call) =>
    call.id === receipt.id ? { ...call, ...receipt, recorded } : call,
  );
}
