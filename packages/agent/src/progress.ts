import type {
  ClaimedTurn,
  CompletedStep,
  InterruptedCall,
  Message,
  NewMessage,
  StoredMessage,
  ToolCall,
  ToolReceipt,
} from '@turnpike/contract';

/** How far a turn is: what the journal says, kept current while this worker writes to it. */
export interface Progress {
  /** The summary of what the session said before `history`, written by the model. */
  summary: string | null;
  history: StoredMessage[];
  messages: StoredMessage[];
  /** The position of the turn in its session. */
  sequence: number;
  stepCount: number;
  modelCallCount: number;
  lastStopReason: string | null;
  /** As in `ClaimedTurn`. */
  pauseCount: number;
  /** Requests made so far for the current step. */
  modelAttempts: number;
  /** Calls that the last message asked for and that have no result message yet. */
  openCalls: OpenCall[];
  /** Messages that joined the turn and are not in the conversation yet. */
  pendingInputs: number;
  /** A budget applies to the turn. */
  isBudgeted: boolean;
  /** The text of a model call that was interrupted; null where there is none. */
  partial: PartialResponse | null;
  /** Estimated tokens that a conversation may have, since the API refused more. Null: what the agent says. */
  windowTokens: number | null;
  /** Model calls under this lease that were refused for a block, which was then excluded. */
  refusalCount: number;
}

/** Text that was shown to clients, of a model call that did not reach its end. */
export interface PartialResponse {
  text: string;
  /** Its usage, which is recorded already; null where none was counted. */
  usage: InterruptedCall | null;
  /** Requests made for the step, at least one. */
  attempts: number;
  durationMs: number;
}

export interface OpenCall extends ToolCall {
  /** Its intent was committed under this very lease: if it was not sent, that is known here. */
  startedHere: boolean;
  /** It was handed to its tool under this lease: from then on it may have acted. */
  sent: boolean;
  /** Its output is in the journal, not only here. */
  recorded: boolean;
}

export function progressOf(turn: ClaimedTurn): Progress {
  return {
    summary: turn.summary,
    history: turn.history,
    messages: [...turn.messages],
    sequence: turn.sequence,
    stepCount: turn.stepCount,
    modelCallCount: turn.modelCallCount,
    lastStopReason: turn.lastStopReason,
    pauseCount: turn.pauseCount,
    modelAttempts: turn.modelAttempts,
    openCalls: turn.openToolCalls.map((call) => ({
      ...call,
      startedHere: false,
      sent: false,
      recorded: hasResult(call),
    })),
    pendingInputs: turn.pendingInputs,
    isBudgeted: turn.isBudgeted,
    partial: null,
    windowTokens: null,
    refusalCount: 0,
  };
}

/** Whether the model can be told how the call ended. */
export function hasResult(call: ToolCall): boolean {
  return call.output !== null;
}

/** Adds messages that are committed. */
export function addMessages(
  progress: Progress,
  added: readonly (Message & Pick<NewMessage, 'partial' | 'container'> & { id: string })[],
): void {
  for (const { id, role, content, partial = false, container } of added) {
    const index = progress.messages.length;
    progress.messages.push({
      id,
      role,
      content,
      partial,
      turnSequence: progress.sequence,
      index,
      refused: [],
      container,
    });
  }
}

/** Adds a step that is committed. */
export function addStep(progress: Progress, step: CompletedStep): void {
  progress.stepCount += 1;
  progress.modelAttempts = 0;
  progress.openCalls = [];
  progress.pauseCount = step.stopReason === 'pause_turn' ? progress.pauseCount + 1 : 0;
  if (step.type === 'model_call') {
    progress.modelCallCount += 1;
    progress.lastStopReason = step.stopReason;
  }
}

/** Sets the result of a call, here only; `recorded` says whether it is committed. */
export function setResult(progress: Progress, receipt: ToolReceipt, recorded: boolean): void {
  updateCall(progress, receipt.id, { ...receipt, awaiting: null, recorded });
}

export function updateCall(progress: Progress, id: string, change: Partial<OpenCall>): void {
  progress.openCalls = progress.openCalls.map((call) => (call.id === id ? { ...call, ...change } : call));
}
