import type { BaseAnthropic } from '@anthropic-ai/sdk/client';
import type { ModelAuth } from '@turnpike/contract';
import type { Secret } from '@turnpike/telemetry';
import type { BuiltRequest } from './build-request.ts';

/** How a request proves who sends it. */
export interface RequestKey {
  /** Null where the SDK of a cloud signs requests with credentials of its own. */
  secret: Secret | null;
  auth: ModelAuth;
}

/** What one request has, in the form of the Messages API: the SDK of a cloud puts it where that cloud expects it. */
export interface SentRequest {
  body: BuiltRequest['body'];
  /** They override the SDK's own; null removes one. */
  headers: Record<string, string | null>;
}

/** A model API at one address. */
export interface ModelApi {
  origin: string;
  /** Its SDK, which that of a cloud loads, with its credentials. Throws where these cannot be had. */
  connect(): BaseAnthropic | Promise<BaseAnthropic>;
  /** Throws `TerminalError` for a request that this API does not take. */
  prepare(request: BuiltRequest, key: RequestKey): SentRequest;
  /** Whether it may have `POST /v1/messages/count_tokens`. */
  countsTokens: boolean;
  /** Whether it may have `POST /v1/messages/batches`. */
  takesBatches: boolean;
  /** Whether a body with files is sent while these are read; else it is read into memory first. */
  takesStreams: boolean;
  /** How many times as many bytes its streams have as the same events of the Messages API. */
  streamOverhead: number;
  /** The error of a stream, with a meaning where the SDK gave it none. */
  explain(error: unknown): unknown;
}
