import type { AgentConfig } from './agents.ts';
import type { ContentBlock, Message } from './content.ts';
import type { Effect } from './effects.ts';
import type { ModelAccess } from './model-settings.ts';
import type { OnUnknown, RegisteredTool } from './tools.ts';
import type { Usage } from './usage.ts';

/** A tool as it is declared to the model. */
export interface ToolDeclaration {
  name: string;
  description: string;
  input_schema: { type: 'object'; [key: string]: unknown };
}

/** A message as a model call receives it. */
export interface ConversationMessage extends Message {
  /** The model that wrote an assistant message; undefined if it is the model of this call. */
  model?: string | undefined;
}

/** The input of one model call. */
export interface ModelRequest {
  tenantId: string;
  turnId: string;
  sessionId: string;
  /** The lease under which the call is made. */
  epoch: number;
  agent: AgentConfig;
  /** Which model keys may be used, and at which endpoint. */
  access: ModelAccess;
  /** The conversation as it is stored. The model package decides what of it is sent. */
  messages: ConversationMessage[];
  tools: ToolDeclaration[];
}

/** An upper bound of a model call's cost: millionths of a US dollar, and tokens not read from the cache. */
export interface CallCost {
  micros: number;
  tokens: number;
}

export interface ModelCallOptions {
  /** Ends the call at once; the promise rejects with the signal's reason. */
  signal: AbortSignal;
  /** Call this right before anything is sent. Throws `LeaseLostError`, and aborts the signal with it. */
  assertHeld(): void;
  /** Milliseconds until the turn's deadline: no retry waits past it. */
  remainingMs: number;
  /** Time limit of this step in milliseconds, including retries. */
  stepTimeoutMs: number;
  /** Requests already made for this step by earlier leases. */
  previousAttempts: number;
  /** A chunk of the response's text as it arrives. It is a preview: a restart discards it. */
  onText(text: string): void;
  /** The stream broke and the request is retried: discard what `onText` received for this call. */
  onRestart(): void;
  /** A request ended after its message had begun and before it was complete: the provider bills it. Never rejects. */
  onInterrupted(call: InterruptedCall): Promise<void>;
  /**
   * Call this before a request that follows an interrupted one: the call's budget reservation is spent.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserveAgain(): Promise<void>;
}

/** The cost of a request that ended before its response was complete. Output tokens are estimated if the stream did not report them. */
export interface InterruptedCall {
  /** The step id that the call would have had. */
  id: string;
  model: string;
  usage: Usage;
  /** Millionths of a US dollar. */
  costMicros: number;
  providerRequestId: string | null;
}

/** A complete model response: built only from a message that reached its end. */
export interface ModelResponse {
  content: ContentBlock[];
  /** `end_turn`, `tool_use`, `max_tokens`, `stop_sequence`, `pause_turn`, `refusal`, `model_context_window_exceeded` or an unknown one. */
  stopReason: string;
  /** The model as the response names it. */
  model: string;
  usage: Usage;
  /** Cost according to the price table, in millionths of a US dollar. */
  costMicros: number;
  /** Requests made for this step, `previousAttempts` included. */
  attempts: number;
  providerRequestId: string | null;
}

/** The tool result that the model receives. */
export interface ToolOutput {
  content: ContentBlock[];
  isError: boolean;
}

/** The tenant, agent and tools of a turn. */
export interface ToolScope {
  tenantId: string;
  agent: AgentConfig;
  /** The tenant's HTTP tools that the agent uses. */
  tools: readonly RegisteredTool[];
}

/** How a call is treated; decided before it is sent. */
export interface ToolPlan {
  effect: Effect;
  onUnknown: OnUnknown;
  /** What the call waits for from outside; null if the worker runs it at once. */
  awaiting: 'approval' | 'output' | null;
}

export interface ToolCallContext {
  tenantId: string;
  turnId: string;
  sessionId: string;
  /** The lease under which the call is made. */
  epoch: number;
  /** Call this right before anything is sent. Throws `LeaseLostError`, and aborts the signal with it. */
  assertHeld(): void;
  /** The current time of the database, in milliseconds since 1970. */
  now(): number;
  /** Ends the call at once; the promise rejects with the signal's reason. */
  signal: AbortSignal;
}
