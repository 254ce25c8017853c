import { newId } from '@turnpike/contract';
import type {
  Advance,
  AdvanceResult,
  ClaimedTurn,
  CompletedStep,
  InterruptedCall,
  Message,
  StoredMessage,
  ToolCall,
  ToolReceipt,
} from '@turnpike/contract';
import type { TurnLease } from './ports.ts';

/** How far a turn is: what the journal says, kept current while this worker writes to it. */
export interface Progress {
  /** What the session said before `history`, as the model wrote it down. */
  summary: string | null;
  history: StoredMessage[];
  messages: StoredMessage[];
  /** The place of the turn in its session. */
  sequence: number;
  stepCount: number;
  modelCallCount: number;
  lastStopReason: string | null;
  /** As in `ClaimedTurn`. */
  pauseCount: number;
  /** Requests made so far for the step under way. */
  modelAttempts: number;
  /** Calls that the last message asked for and that no message answers yet. */
  openCalls: OpenCall[];
  /** Messages that joined the turn and are not in the conversation yet. */
  pendingInputs: number;
  /** Something limits what the turn may cost. */
  isBudgeted: boolean;
  /** What was said of the answer that the model was stopped in; null where there is none. */
  cut: PartialResponse | null;
  /** Tokens, as they are guessed here, that a conversation may have: the API refused more. Null: as the agent says. */
  windowTokens: number | null;
  /** Model calls under this lease that were refused for a block, which was then left out. */
  refusalCount: number;
}

/** Text that was shown to clients, of a model call that did not come to its end. */
export interface PartialResponse {
  text: string;
  /** What it cost, which is booked already; null where nothing was counted. */
  cost: InterruptedCall | null;
  /** Requests made for the step, at least one. */
  attempts: number;
  durationMs: number;
}

export interface OpenCall extends ToolCall {
  /** Its intent was committed under this very lease: if it did not leave, we know. */
  ours: boolean;
  /** It was given to its tool under this lease: from then on it may have acted. */
  left: boolean;
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
      ours: false,
      left: false,
      recorded: isAnswered(call),
    })),
    pendingInputs: turn.pendingInputs,
    isBudgeted: turn.isBudgeted,
    cut: null,
    windowTokens: null,
    refusalCount: 0,
  };
}

/** The model can be told how it ended. */
export function isAnswered(call: ToolCall): boolean {
  return call.output !== null;
}

/** Commits, and notes what joined the turn and what the write put into the conversation. */
export async function commit(lease: TurnLease, progress: Progress, advance: Advance): Promise<AdvanceResult> {
  const messages = (advance.messages ?? []).map((message) => ({ id: newId('message'), ...message }));
  const advanced = await lease.advance({ ...advance, messages });
  if (advance.step !== undefined) noteStep(progress, advance.step);
  noteMessages(progress, [...messages, ...advanced.addedInputs]);
  progress.pendingInputs = advanced.pendingInputs;
  progress.isBudgeted = advanced.isBudgeted;
  return advanced;
}

function noteMessages(
  progress: Progress,
  added: readonly (Message & { id: string; partial?: boolean })[],
): void {
  for (const { id, role, content, partial = false } of added) {
    const index = progress.messages.length;
    progress.messages.push({
      id,
      role,
      content,
      partial,
      turnSequence: progress.sequence,
      index,
      refused: [],
    });
  }
}

function noteStep(progress: Progress, step: CompletedStep): void {
  progress.stepCount += 1;
  progress.modelAttempts = 0;
  progress.openCalls = [];
  progress.pauseCount = step.stopReason === 'pause_turn' ? progress.pauseCount + 1 : 0;
  if (step.type === 'model_call') {
    progress.modelCallCount += 1;
    progress.lastStopReason = step.stopReason;
  }
}

/** Notes how a call ended, here only; `recorded` once it is committed. */
export function noteReceipt(progress: Progress, receipt: ToolReceipt, recorded: boolean): void {
  noteCall(progress, receipt.id, { ...receipt, awaiting: null, recorded });
}

export function noteCall(progress: Progress, id: string, change: Partial<OpenCall>): void {
  progress.openCalls = progress.openCalls.map((call) => (call.id === id ? { ...call, ...change } : call));
}
