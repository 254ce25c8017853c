import { TurnpikeError } from '@turnpike/contract';
import { EgressRefusedError, retryAfterMs, type CallOutcome, type EgressResponse } from '@turnpike/egress';
import type { AttemptOutcome, AttemptReport } from '@turnpike/store';
import { retryWait } from './retry-schedule.ts';

/** A POST that was sent, or that the egress refused. */
export interface Attempt {
  outcome: CallOutcome<EgressResponse>;
  durationMs: number;
}

const GONE = 410;
const SLOW_DOWN = new Set([429, 503]);

/**
 * The outcome of an attempt for its delivery: 2xx is the only success, 410 the only response that ends it at once.
 * `tries` are the attempts before; `nowMs` is in milliseconds since 1970.
 */
export function judgeAttempt(
  { outcome, durationMs }: Attempt,
  { schedule, tries, nowMs }: { schedule: readonly number[]; tries: number; nowMs: number },
): { outcome: AttemptOutcome; report: AttemptReport; receiverWell: boolean | null } {
  const receiverWell = isReceiverWell(outcome);
  const response = 'result' in outcome ? outcome.result : null;
  const report = {
    durationMs,
    responseStatus: response?.status ?? null,
    responseBody: response && readable(response.body),
    errorCode: 'error' in outcome ? codeOf(outcome.error) : codeOfStatus(outcome.result.status),
  };
  if (report.errorCode === null) return { outcome: { result: 'delivered' }, report, receiverWell };
  if (response?.status === GONE) return { outcome: { result: 'dead', gone: true }, report, receiverWell };
  const requestedMs =
    response !== null && SLOW_DOWN.has(response.status)
      ? retryAfterMs(response.headers['retry-after'], nowMs)
      : 0;
  const wait = retryWait(schedule, tries, requestedMs);
  return {
    outcome: wait === null ? { result: 'dead', gone: false } : { result: 'failed', retryInMs: wait },
    report,
    receiverWell,
  };
}

/** Whether the receiver is working, as far as this attempt shows. Null: our own egress refused to send it. */
function isReceiverWell(outcome: CallOutcome<EgressResponse>): boolean | null {
  if ('result' in outcome) return outcome.result.status < 500 && outcome.result.status !== 429;
  return outcome.error instanceof EgressRefusedError ? null : false;
}

function codeOfStatus(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return 'redirect_refused';
  return status === GONE ? 'gone' : 'status_refused';
}

function codeOf(error: unknown): string {
  return error instanceof TurnpikeError ? error.code : 'internal_error';
}

/** Postgres stores no NUL. */
function readable(body: Uint8Array): string {
  return new TextDecoder().decode(body).replaceAll('\0', '\uFFFD');
}
