import type { AgentConfig } from './agents.ts';
import type { ContentBlock, Message } from './content.ts';
import type { Effect, ToolCallStatus } from './effects.ts';
import type { NewEvent } from './events.ts';
import type { Refusal, RefusedBlock } from './refusals.ts';
import type { ModelAccess } from './model-settings.ts';
import type { Awaiting } from './tool-outputs.ts';
import type { OnUnknown, RegisteredTool } from './tools.ts';
import type { FinalStatus, StopReason, TurnStatus } from './statuses.ts';
import type { TurnError } from './turns.ts';
import type { Usage } from './usage.ts';

/** A turn in a worker's hands: everything that the loop needs to go on from where the journal ends. */
export interface ClaimedTurn {
  id: string;
  tenantId: string;
  sessionId: string;
  /** Its place in the session. */
  sequence: number;
  agentId: string;
  agentVersion: number;
  epoch: number;
  attempts: number;
  status: TurnStatus;
  agent: AgentConfig;
  /** The tenant's own tools that the agent was given, as they were at the moment of the claim. */
  tools: RegisteredTool[];
  /** Whose keys its model calls may use, as it was at the moment of the claim; never a key itself. */
  modelAccess: ModelAccess;
  /** The database's time at the moment of the claim, in milliseconds since 1970: a worker's clock may be wrong. */
  claimedAt: number;
  /** Milliseconds left until the turn's deadline at the moment of the claim. */
  remainingMs: number;
  /** What the model wrote down of the turns before `history`; null where nothing was left out. */
  summary: string | null;
  /** Messages of the session's earlier turns, oldest first, without those that the summary covers. */
  history: StoredMessage[];
  /** Messages of this turn: its input, then what its steps added. */
  messages: StoredMessage[];
  /** Requests that earlier leases made for the step under way. */
  modelAttempts: number;
  /** The number of its newest event. */
  eventCount: number;
  /** How many steps are committed; the index of the next one. */
  stepCount: number;
  /** How many of them were model calls, for the limit on steps. */
  modelCallCount: number;
  /** The stop reason of the last model call, null before the first. */
  lastStopReason: string | null;
  /** How many of the newest steps in a row were model calls that stopped with `pause_turn`. */
  pauseCount: number;
  /** Calls that the last assistant message asked for and that no message answers yet. */
  openToolCalls: ToolCall[];
  /** Messages that joined the turn while it ran and are not in the conversation yet. */
  pendingInputs: number;
  /** The outage that it was parked for, where the model was away when it was last tried. */
  outage: string | null;
  /** Something limits what it may cost: each model call is put aside for before it is made. */
  isBudgeted: boolean;
}

/** A message of the session, with the place of its turn in the session and its own in the turn. */
export interface StoredMessage extends Message {
  id: string;
  turnSequence: number;
  index: number;
  /** An answer that was stopped while the model wrote it. */
  partial: boolean;
  /** Blocks that the model is not shown any more. */
  refused: RefusedBlock[];
  /** The model that its turn's agent asks; left out where that is the one of the turn at hand. */
  model?: string | undefined;
}

/** A message on its way into the conversation; without an id it is given one. */
export interface NewMessage extends Message {
  id?: string;
  /** An answer that was stopped while the model wrote it. */
  partial?: boolean;
}

/** A tool call as the journal has it. `id` is its idempotency key, however often it is tried. */
export interface ToolCall {
  id: string;
  toolUseId: string;
  name: string;
  /** For whoever looks at it; null where the model gave none. A number that JavaScript cannot hold is its text. */
  input: unknown;
  /** The input as the model wrote it: what the tool is given. Null where there is none. */
  inputText: string | null;
  effect: Effect;
  onUnknown: OnUnknown;
  status: ToolCallStatus;
  /** What it waits for from outside; null where it is the worker's to run. */
  awaiting: Awaiting | null;
  output: ContentBlock[] | null;
  isError: boolean;
}

/** `compaction` is a model call too: it writes down what the oldest turns of the session said. */
export type StepType = 'model_call' | 'tool_calls' | 'compaction';

/** A model call or a round of tool calls that is done. */
export interface CompletedStep {
  id: string;
  type: StepType;
  model: string | null;
  stopReason: string | null;
  usage: Usage;
  /** Millionths of a US dollar. */
  costMicros: number;
  /** How many requests it took. */
  attempts: number;
  providerRequestId: string | null;
  /** What it cost is in the ledger already: a call that was stopped is booked by itself. */
  isCostRecorded?: boolean;
  /** How long it took. Not when it began: a worker's clock may be wrong, the database's is the one. */
  durationMs: number;
}

/** How a call ended: its output as the model will see it. */
export interface ToolReceipt {
  id: string;
  status: 'completed' | 'unknown';
  output: ContentBlock[];
  isError: boolean;
}

/** How a turn ends. */
export interface Outcome {
  status: FinalStatus;
  stopReason: StopReason | null;
  output: ContentBlock[] | null;
  /** The output ends where the model was stopped. */
  partial?: boolean;
  error: TurnError | null;
}

/**
 * One fenced write to a turn: all of it is committed, or none. This is the only way a
 * worker writes, so whatever it does can be read off the values that it passes here.
 */
export interface Advance {
  step?: CompletedStep;
  /** Appended to the conversation, in order. */
  messages?: NewMessage[];
  /** Blocks of the session's messages that the model is not shown any more. */
  refusals?: Refusal[];
  /** Calls that the message of this step asks for. */
  requestedCalls?: ToolCall[];
  /** Ids of calls that are about to leave: the intent. */
  startedCalls?: string[];
  receipts?: ToolReceipt[];
  /** Calls whose outcome nobody knows, and that a person is asked about. */
  awaitingOutcome?: string[];
  /** Puts what joined the turn meanwhile into the conversation. */
  addPendingInputs?: boolean;
  /** The session's turns up to this one are shown to the model as this summary from now on. */
  summary?: { throughSequence: number; content: string };
  /** The turn waits for somebody outside, this many milliseconds at most; the lease ends. */
  action?: { timeoutMs: number };
  /** What clients are told of it: never nothing. */
  events: NewEvent[];
  /** Ends the turn; `completed` only where nothing joined it meanwhile. */
  outcome?: Outcome;
}

/** What a write left behind. */
export interface AdvanceResult {
  status: TurnStatus;
  /** Messages that joined the turn and are not in the conversation yet. */
  pendingInputs: number;
  /** Those that this very write put there. */
  addedInputs: (Message & { id: string })[];
  /** As in `ClaimedTurn`: a budget may come while the turn runs. */
  isBudgeted: boolean;
}

/** How a turn goes back to the queue. */
export interface Release {
  /** Not to be taken up again before this many milliseconds have passed. */
  delayMs: number;
  /** Requests made so far for the step under way. */
  modelAttempts: number;
  /** What it waits for, shown to clients meanwhile. */
  error: TurnError | null;
  /** The model is away: the turn waits, with all others of its tenant that wait for the same, until a probe is answered. */
  outage?: string;
}
