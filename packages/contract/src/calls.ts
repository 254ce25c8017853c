import type { AgentConfig } from './agents.ts';
import type { ContentBlock, Message } from './content.ts';
import type { Effect } from './effects.ts';
import type { ModelAccess } from './model-settings.ts';
import type { OnUnknown, RegisteredTool } from './tools.ts';
import type { TurnContext } from './turn-context.ts';
import type { TypedEmitter } from './typed-emitter.ts';
import type { Usage } from './usage.ts';

/** A tool as it is declared to the model. */
export interface ToolDeclaration {
  name: string;
  description: string;
  input_schema: { type: 'object'; [key: string]: unknown };
  /** The API guarantees that inputs fit the schema. */
  strict?: boolean;
  /** The model is shown it once it has found it. */
  defer_loading?: boolean;
}

/** A tool that the model API runs itself, as it is sent. */
export interface ServerToolDeclaration {
  /** The dated type of the Messages API. */
  type: string;
  name: string;
  max_uses?: number;
  [setting: string]: unknown;
}

/** Where the model API ran code; null: it has it no longer. */
export interface Container {
  id: string | null;
}

/** A message as a model call receives it. */
export interface ConversationMessage extends Message {
  /** The container of the response, where it had one. */
  container?: Container | undefined;
  /** The model that wrote an assistant message; undefined if it is the model of this call. */
  model?: string | undefined;
}

/** The input of one model call. */
export interface ModelRequest {
  agent: AgentConfig;
  /** Which model keys may be used, and at which endpoint. */
  access: ModelAccess;
  /** The conversation as it is stored. The model package decides what of it is sent. */
  messages: ConversationMessage[];
  tools: (ToolDeclaration | ServerToolDeclaration)[];
}

/** An upper bound of a model call's cost: millionths of a US dollar, and tokens not read from the cache. */
export interface CallCost {
  micros: number;
  tokens: number;
}

/** A request of a turn, whose tokens are to be counted. */
export interface TokenCount {
  readonly turn: TurnContext;
  readonly request: ModelRequest;
}

/** A model call that may go through a batch of the model API. */
export interface BatchableCall extends TokenCount {
  /** Position of its step in the turn. */
  readonly stepIndex: number;
  /** As of a call that is made by itself, in milliseconds. */
  readonly stepTimeoutMs: number;
  /** Reserves the most that it can cost. Throws as the lease does. */
  reserve(): Promise<void>;
}

/** One model call, including its retries. */
export interface ModelCall extends TokenCount {
  /** Time limit of this step in milliseconds, including retries. */
  readonly stepTimeoutMs: number;
  /** Requests already made for this step under earlier leases. */
  readonly previousAttempts: number;
  readonly events: TypedEmitter<ModelCallEvents>;
  /**
   * Call this before a request that follows an interrupted one: the call's budget reservation is spent.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserveAgain(): Promise<void>;
}

/** What happens during a model call. The call does not wait for its listeners. */
export interface ModelCallEvents {
  /** A chunk of the response's text as it arrives. It is a preview: `restarted` discards it. */
  text: [piece: string];
  /** The stream broke and the request is retried: the text that came before is void. */
  restarted: [];
  /** A request ended after its message had begun and before it was complete: the provider bills it. */
  interrupted: [call: InterruptedCall];
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
  /** Where code ran for it; left out where none did. */
  container?: Container | undefined;
  /** The model as the response names it. */
  model: string;
  usage: Usage;
  /** Cost according to the price table, in millionths of a US dollar. */
  costMicros: number;
  /** Requests made for this step, `previousAttempts` included. */
  attempts: number;
  providerRequestId: string | null;
}

/** A whole part of a tool's output of which the model was to be shown less. */
export interface OutputPart {
  encoding: 'text' | 'base64';
  mediaType: string;
  data: string;
  /** What the tool calls it; left out where it has no name. */
  filename?: string;
}

/** The tool result that the model receives. */
export interface ToolOutput {
  content: ContentBlock[];
  isError: boolean;
  /** What `content` has too little of. It never leaves the worker: the parts become files, or are dropped. */
  overflow?: OutputPart[];
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
  /** The hash of the tool in code that accepted the input; null or left out where none did. */
  acceptedBy?: string | null;
}
