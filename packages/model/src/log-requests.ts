import type { TurnContext } from '@turnpike/contract';
import type { Report } from '@turnpike/telemetry';
import type { WholeMessage } from './assemble-message.ts';
import type { Failure } from './classify-error.ts';
import type { RequestProgress } from './stream-message.ts';

/** Which request of a turn it was. */
export interface RequestFields {
  model: string;
  /** The name of the tenant's secret; null for the operator's key. */
  model_key: string | null;
  /** Requests made for this step so far, this one included. */
  attempt: number;
}

/** Logs a response: its times and tokens, and nothing of its contents. */
export function logResponse(
  { logger }: TurnContext,
  fields: RequestFields,
  progress: RequestProgress,
  message: WholeMessage,
): void {
  logger.debug('Model responded.', {
    ...fields,
    ...timesOf(progress),
    provider_request_id: progress.providerRequestId,
    stop_reason: message.stopReason,
    ...message.usage,
  });
}

/** Logs a request that failed: each at `debug`, and at `warn` once in a while as long as the model fails in the same way. */
export function logFailure(
  report: Report,
  { tenantId, turnId, sessionId, epoch, logger }: TurnContext,
  request: RequestFields,
  progress: RequestProgress,
  failure: Failure,
): void {
  const { code, terminal, status, retryAfterMs, providerRequestId } = failure;
  const fields = {
    ...request,
    ...timesOf(progress),
    code,
    terminal,
    status,
    retry_after_ms: retryAfterMs,
    provider_request_id: providerRequestId,
  };
  const ids = { tenant_id: tenantId, turn_id: turnId, session_id: sessionId, epoch };
  const isReported = report('Model request failed.')(`${request.model} ${code}`, { ...ids, ...fields });
  if (!isReported) logger.debug('Model request failed.', fields);
}

function timesOf({ startedAt, headMs }: RequestProgress): { head_ms: number | null; duration_ms: number } {
  return { head_ms: headMs, duration_ms: Math.round(performance.now() - startedAt) };
}
