import type { AgentConfig } from './agents.ts';
import type { Container } from './calls.ts';
import type { ContentBlock, Message } from './content.ts';
import type { Effect, ToolCallStatus } from './effects.ts';
import type { NewEvent } from './events.ts';
import type { Metadata } from './metadata.ts';
import type { Refusal, RefusedBlock } from './refusals.ts';
import type { ModelAccess } from './model-settings.ts';
import type { Awaiting } from './tool-outputs.ts';
import type { Question, ToolStep } from './tool-journal.ts';
import type { OnUnknown, RegisteredTool } from './tools.ts';
import type { FinalStatus, StopReason, TurnStatus } from './statuses.ts';
import type { TurnError } from './turns.ts';
import type { Usage } from './usage.ts';

/** A turn that a worker has claimed, with everything the loop needs to continue where the journal ends. */
export interface ClaimedTurn {
  id: string;
  tenantId: string;
  sessionId: string;
  /** Position of the turn in the session. */
  sequence: number;
  agentId: string;
  agentVersion: number;
  /** The turn whose call of an agent this turn is; null if a client submitted it. */
  parentTurnId: string | null;
  epoch: number;
  attempts: number;
  status: TurnStatus;
  agent: AgentConfig;
  /** The tenant's HTTP tools that the agent uses, as configured at the time of the claim. */
  tools: RegisteredTool[];
  /** Which model keys the turn may use, as configured at the time of the claim. Contains no key. */
  modelAccess: ModelAccess;
  /** Time of the claim by the database's clock, in milliseconds since 1970: a worker's clock may be wrong. */
  claimedAt: number;
  /** Milliseconds from the claim to the turn's deadline. */
  remainingMs: number;
  /** The model's summary of the turns before `history`; null if no turn was compacted. */
  summary: string | null;
  /** Messages of the session's earlier turns that the summary does not cover, oldest first. */
  history: StoredMessage[];
  /** Messages of this turn: its input, then those that its steps added. */
  messages: StoredMessage[];
  /** Requests that earlier leases made for the current step. */
  modelAttempts: number;
  /** Sequence number of the turn's newest event. */
  eventCount: number;
  /** Number of committed steps, which is the index of the next one. */
  stepCount: number;
  /** Number of committed model calls, for the limit on steps. */
  modelCallCount: number;
  /** Stop reason of the last model call; null before the first. */
  lastStopReason: string | null;
  /** Number of model calls at the end of the journal that stopped with `pause_turn`. */
  pauseCount: number;
  /** Calls that the last assistant message requested and that have no tool result yet. */
  openToolCalls: ToolCall[];
  /** Number of messages that joined the running turn and are not in the conversation yet. */
  pendingInputs: number;
  /** The outage for which the turn was parked, if the model was unavailable at the last attempt. */
  outage: string | null;
  /** The labels of the turn, and those of its session. */
  metadata: Metadata;
  sessionMetadata: Metadata;
  /** True if a budget applies: each model call reserves its maximum cost first. */
  isBudgeted: boolean;
}

/** A stored message, with the position of its turn in the session and of the message in the turn. */
export interface StoredMessage extends Message {
  id: string;
  turnSequence: number;
  index: number;
  /** True if the model was stopped while it wrote this message. */
  partial: boolean;
  /** Blocks that are no longer sent to the model. */
  refused: RefusedBlock[];
  /** The model of the agent of this message's turn; undefined if it is the current turn's model. */
  model?: string | undefined;
  /** The container of the response; undefined where it had none. */
  container?: Container | undefined;
}

/** A message to be added to the conversation. The store assigns an id if there is none. */
export interface NewMessage extends Message {
  id?: string;
  /** True if the model was stopped while it wrote this message. */
  partial?: boolean;
  /** The container of the response, where it had one. */
  container?: Container | undefined;
}

/** A tool call in the journal. `id` is its idempotency key, the same in every attempt. */
export interface ToolCall {
  id: string;
  toolUseId: string;
  name: string;
  /** The input for display; null if the model gave none. Numbers that JavaScript cannot represent are strings. */
  input: unknown;
  /** The input as the model wrote it, which is what the tool receives. Null if there is none. */
  inputText: string | null;
  effect: Effect;
  onUnknown: OnUnknown;
  /** The hash of the tool in code that accepted the input; null or left out where none did. */
  acceptedBy?: string | null;
  status: ToolCallStatus;
  /** What the call waits for from outside; null if the worker runs it. */
  awaiting: Awaiting | null;
  /** What it asks, where it waits for an answer. */
  question: Question | null;
  output: ContentBlock[] | null;
  isError: boolean;
  /** How often it was started. */
  attempts: number;
  /** Its committed steps, oldest first. */
  steps: ToolStep[];
  /** The turn that a call of an agent started; null or left out if there is none. */
  childTurnId?: string | null;
}

/** `compaction` is a model call that summarises the oldest turns of the session. */
export type StepType = 'model_call' | 'tool_calls' | 'compaction';

/** A finished model call or round of tool calls. */
export interface CompletedStep {
  id: string;
  type: StepType;
  model: string | null;
  stopReason: string | null;
  usage: Usage;
  /** Millionths of a US dollar. */
  costMicros: number;
  /** Number of requests made. */
  attempts: number;
  providerRequestId: string | null;
  /** The cost is already in the ledger: the usage of an interrupted call is recorded separately. */
  isCostRecorded?: boolean;
  /** Its response is that of a batch, and stays there for the next lease: the cost is recorded once it is committed. */
  isBatched?: boolean;
  /** Duration. The database derives the start time from it, because a worker's clock may be wrong. */
  durationMs: number;
}

/** The outcome of a tool call: its output as the model will see it. */
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
  /** True if the model was stopped while it wrote the output. */
  partial?: boolean;
  /** True if the text of the output is JSON that fits the agent's output format. */
  outputIsJson?: boolean;
  error: TurnError | null;
}

/**
 * One fenced write to a turn, committed atomically. Workers write in no other way, so these fields
 * describe everything that a worker can change.
 */
export interface Advance {
  step?: CompletedStep;
  /** Appended to the conversation, in order. */
  messages?: NewMessage[];
  /** Blocks of the session's messages that are no longer sent to the model. */
  refusals?: Refusal[];
  /** Calls that the message of this step requests. */
  requestedCalls?: ToolCall[];
  /** Ids of calls that are about to be sent: the record of intent. */
  startedCalls?: string[];
  receipts?: ToolReceipt[];
  /** Ids of calls with an unknown outcome, which the client is asked to resolve. */
  awaitingOutcome?: string[];
  /** Calls that ended without having acted, and are `pending` again; with a question, they wait for its answer. */
  returnedCalls?: { id: string; question: Question | null }[];
  /** Steps of calls, each of this turn. A step that has an outcome is not changed. */
  toolSteps?: (ToolStep & { toolCallId: string })[];
  /** Adds the messages that joined the turn to the conversation. */
  addPendingInputs?: boolean;
  /** From now on the model sees this summary instead of the session's turns up to and including this one. */
  summary?: { throughSequence: number; content: string };
  /** The turn waits for the client, for at most this many milliseconds; the lease ends. */
  action?: { timeoutMs: number };
  /** The events of this write; never empty. */
  events: NewEvent[];
  /** Ends the turn. `completed` takes effect only if no message is pending. */
  outcome?: Outcome;
}

/** The state of the turn after a write. */
export interface AdvanceResult {
  status: TurnStatus;
  /** Number of messages that joined the turn and are not in the conversation yet. */
  pendingInputs: number;
  /** The messages that this write added to the conversation. */
  addedInputs: (Message & { id: string })[];
  /** As in `ClaimedTurn`: a budget may be set while the turn runs. */
  isBudgeted: boolean;
  /** True where the turn ended or waits, and a turn of its session or its tenant waited for that. */
  othersMayRun: boolean;
}

/** How a turn returns to the queue. */
export interface Release {
  /** The turn is not claimed again before this many milliseconds have passed. */
  delayMs: number;
  /** Requests made so far for the current step. */
  modelAttempts: number;
  /** The reason for the wait, which clients see until the turn is claimed again. */
  error: TurnError | null;
  /** Identifies an outage of the model: all the tenant's turns that are parked for it wait until a probe succeeds. */
  outage?: string;
}
