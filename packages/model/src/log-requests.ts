import type { Logger, Report } from '@turnpike/telemetry';
import type { WholeMessage } from './assemble-message.ts';
import type { Failure } from './classify-error.ts';
import type { RequestProgress } from './stream-message.ts';

/** Which request it was, as the log names it. */
export interface RequestFacts {
  tenant_id: string;
  turn_id: string;
  session_id: string;
  epoch: number;
  model: string;
  /** The name of the tenant's secret; null for the operator's key. */
  model_key: string | null;
  /** Requests made for this step so far, this one included. */
  attempt: number;
}

/** Tells of a request that was answered: its times and tokens, never a word of it. */
export function logResponse(
  logger: Logger,
  facts: RequestFacts,
  progress: RequestProgress,
  message: WholeMessage,
): void {
  logger.debug('model answered', {
    ...facts,
    ...timesOf(progress),
    provider_request_id: progress.providerRequestId,
    stop_reason: message.stopReason,
    ...message.usage,
  });
}

/** Tells of a request that failed; while a model keeps failing in the same way, once in a while, and at debug each. */
export function logFailure(
  { logger, report }: { logger: Logger; report: Report },
  facts: RequestFacts,
  progress: RequestProgress,
  failure: Failure,
): void {
  const { code, terminal, status, retryAfterMs, providerRequestId } = failure;
  const fields = {
    ...facts,
    ...timesOf(progress),
    code,
    terminal,
    status,
    retry_after_ms: retryAfterMs,
    provider_request_id: providerRequestId,
  };
  if (!report('model request failed')(`${facts.model} ${code}`, fields)) {
    logger.debug('model request failed', fields);
  }
}

function timesOf({ startedAt, headMs }: RequestProgress): { head_ms: number | null; duration_ms: number } {
  return { head_ms: headMs, duration_ms: Math.round(performance.now() - startedAt) };
}
