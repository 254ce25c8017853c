/* The chunks of the AI SDK's UI message stream (v1) that are sent, as they are written in JSON. */

/** What a chunk tells beside what is shown. */
export type ChunkMetadata = Record<string, unknown>;

export type FinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'other';

export interface SourceUrl {
  type: 'source-url';
  sourceId: string;
  url: string;
  title?: string;
}

export interface SourceDocument {
  type: 'source-document';
  sourceId: string;
  mediaType: string;
  title: string;
}

export interface FileShown {
  type: 'file';
  mediaType: string;
  url: string;
}

/** What a turn waits for that no part of a message can be the response to: an outcome, or an answer. */
export interface ActionData {
  type: 'data-action';
  /** The id of the call. A later chunk with the same id replaces this one. */
  id: string;
  data: Record<string, unknown>;
}

export type Chunk =
  | { type: 'start'; messageId: string; messageMetadata: ChunkMetadata }
  | { type: 'start-step' | 'finish-step' | 'reset-step' }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta'; id: string; delta: string }
  | {
      type: 'tool-input-available';
      toolCallId: string;
      toolName: string;
      input: unknown;
      providerExecuted?: true;
    }
  | { type: 'tool-approval-request'; approvalId: string; toolCallId: string }
  | { type: 'tool-output-available'; toolCallId: string; output: unknown; providerExecuted?: true }
  | { type: 'tool-output-error'; toolCallId: string; errorText: string; providerExecuted?: true }
  | SourceUrl
  | SourceDocument
  | FileShown
  | ActionData
  | { type: 'data-turn'; data: Record<string, unknown>; transient: true }
  | { type: 'error'; errorText: string }
  | { type: 'abort'; reason: string }
  | { type: 'finish'; finishReason: FinishReason; messageMetadata: ChunkMetadata };
