import type { AgentConfig } from './agents.ts';
import type { ContentBlock, Message } from './content.ts';
import type { Effect } from './effects.ts';
import type { ModelAccess } from './model-settings.ts';
import type { OnUnknown, RegisteredTool } from './tools.ts';
import type { Usage } from './usage.ts';

/** A tool as the model is told of it. */
export interface ToolDeclaration {
  name: string;
  description: string;
  input_schema: { type: 'object'; [key: string]: unknown };
}

/** A message as a model call is given it. */
export interface ConversationMessage extends Message {
  /** Of a message of the assistant's, the model that was asked for it; left out where it is the one asked now. */
  model?: string | undefined;
}

/** What one model call is asked. */
export interface ModelRequest {
  tenantId: string;
  turnId: string;
  sessionId: string;
  /** The lease under which the call is made. */
  epoch: number;
  agent: AgentConfig;
  /** Whose keys may be used, and where. */
  access: ModelAccess;
  /** The conversation as it is stored; what is sent of it is the model's to see to. */
  messages: ConversationMessage[];
  tools: ToolDeclaration[];
}

/** What a model call may come to: millionths of a US dollar, and tokens that were not read from the cache. */
export interface CallCost {
  micros: number;
  tokens: number;
}

export interface ModelCallOptions {
  /** Ends the call at once; the promise rejects with the signal's reason. */
  signal: AbortSignal;
  /** To be called right before anything is sent. Throws `LeaseLostError`, and aborts the signal with it. */
  assertHeld(): void;
  /** Milliseconds until the turn's deadline: no retry waits past it. */
  remainingMs: number;
  /** Milliseconds that this step may take, its retries included. */
  stepTimeoutMs: number;
  /** Requests already made for this step by earlier leases. */
  previousAttempts: number;
  /** A piece of the answer's text, as it comes: a preview that a restart takes back. */
  onText(text: string): void;
  /** The stream broke and is tried again: what `onText` gave for this call is void. */
  onRestart(): void;
  /** A request ended after its message had begun, and brought no answer: it is billed all the same. Never rejects. */
  onInterrupted(cut: InterruptedCall): Promise<void>;
  /**
   * To be called before a request that follows on one that was cut: what was put aside for the call is spent.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserveAgain(): Promise<void>;
}

/** What a request cost that brought no answer. Its output is counted where the stream came to that, else estimated. */
export interface InterruptedCall {
  /** The id of the step that it did not become. */
  id: string;
  model: string;
  usage: Usage;
  /** Millionths of a US dollar. */
  costMicros: number;
  providerRequestId: string | null;
}

/** A whole answer: only ever made from a message that reached its end. */
export interface ModelResponse {
  content: ContentBlock[];
  /** `end_turn`, `tool_use`, `max_tokens`, `stop_sequence`, `pause_turn`, `refusal`, `model_context_window_exceeded` or one we do not know. */
  stopReason: string;
  /** The model that answered, as it names itself. */
  model: string;
  usage: Usage;
  /** What it cost by the price table, in millionths of a US dollar. */
  costMicros: number;
  /** Requests made for this step, `previousAttempts` included. */
  attempts: number;
  providerRequestId: string | null;
}

/** What the model is told of a tool call. */
export interface ToolOutput {
  content: ContentBlock[];
  isError: boolean;
}

/** Whose tools they are, and which: what a turn fixes. */
export interface ToolScope {
  tenantId: string;
  agent: AgentConfig;
  /** The tenant's own tools that the agent was given. */
  tools: readonly RegisteredTool[];
}

/** How a call is to be treated, decided before it leaves. */
export interface ToolPlan {
  effect: Effect;
  onUnknown: OnUnknown;
  /** What must come from outside first; null where the worker runs it at once. */
  awaiting: 'approval' | 'output' | null;
}

export interface ToolCallContext {
  tenantId: string;
  turnId: string;
  sessionId: string;
  /** The lease under which the call is made. */
  epoch: number;
  /** To be called right before anything is sent. Throws `LeaseLostError`, and aborts the signal with it. */
  assertHeld(): void;
  /** The database's time now, in milliseconds since 1970. */
  now(): number;
  /** Ends the call at once; the promise rejects with the signal's reason. */
  signal: AbortSignal;
}
