import { TurnpikeError } from '@turnpike/contract';
import { EgressRefusedError, retryAfterMs, type CallOutcome, type EgressResponse } from '@turnpike/egress';
import type { AttemptOutcome, AttemptReport } from '@turnpike/store';
import { retryWait } from './retry-schedule.ts';

/** A POST that was made, or that the way out refused. */
export interface Attempt {
  outcome: CallOutcome<EgressResponse>;
  durationMs: number;
}

const GONE = 410;
const SLOW_DOWN = new Set([429, 503]);

/**
 * What becomes of a delivery: 2xx is the only success, 410 the only answer that ends it at once. `tries` are
 * those made before; `nowMs` is in milliseconds since 1970.
 */
export function judgeAttempt(
  { outcome, durationMs }: Attempt,
  { schedule, tries, nowMs }: { schedule: readonly number[]; tries: number; nowMs: number },
): { outcome: AttemptOutcome; report: AttemptReport; receiverWell: boolean | null } {
  const receiverWell = isReceiverWell(outcome);
  const answer = 'result' in outcome ? outcome.result : null;
  const report = {
    durationMs,
    responseStatus: answer?.status ?? null,
    responseBody: answer && readable(answer.body),
    errorCode: 'error' in outcome ? codeOf(outcome.error) : codeOfStatus(outcome.result.status),
  };
  if (report.errorCode === null) return { outcome: { result: 'delivered' }, report, receiverWell };
  if (answer?.status === GONE) return { outcome: { result: 'dead', gone: true }, report, receiverWell };
  const asked =
    answer !== null && SLOW_DOWN.has(answer.status) ? retryAfterMs(answer.headers['retry-after'], nowMs) : 0;
  const wait = retryWait(schedule, tries, asked);
  return {
    outcome: wait === null ? { result: 'dead', gone: false } : { result: 'failed', retryInMs: wait },
    report,
    receiverWell,
  };
}

/** Whether the receiver can take webhooks, as far as this attempt says. Null: it never left, by our own guard. */
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

/** Postgres takes no NUL. */
function readable(body: Uint8Array): string {
  return new TextDecoder().decode(body).replaceAll('\0', '\uFFFD');
}
