import { newId } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** One POST, and what came of it. */
export interface AttemptReport {
  durationMs: number;
  responseStatus: number | null;
  responseBody: string | null;
  errorCode: string | null;
}

/** What becomes of a delivery by an attempt. */
export type AttemptOutcome =
  | { result: 'delivered' }
  | { result: 'failed'; retryInMs: number }
  /** `gone`: nobody wants to be told there any more. */
  | { result: 'dead'; gone: boolean };

export interface DisablingRule {
  /** Milliseconds without a success, from the first failure on, after which an endpoint is disabled. */
  afterMs: number;
  leastFailures: number;
}

/** When the circuit breaker of a receiver opens, and for how long. */
export interface ReceiverBreaker {
  /** Attempts in a row that speak against it. */
  failuresToOpen: number;
  /** Milliseconds at first; twice as long each time the probe after it fails, up to `mostOpenMs`. */
  openMs: number;
  mostOpenMs: number;
}

/** Entries of the log that are kept for one delivery. */
const LOG_LENGTH = 20;

/*
 * Invariant: an attempt is recorded by whoever holds the delivery, and by nobody else; the delivery, its
 * log and what it says of its endpoint are one commit.
 */
const RECORD = {
  name: 'record-delivery',
  text: `
WITH held AS (
  UPDATE deliveries
  SET status = $3, attempts = attempts + 1, tries = tries + 1, claimed_until = NULL, hinted_at = NULL, fresh = true,
      delivered_at = CASE WHEN $3 = 'delivered' THEN now() END,
      next_attempt_at = CASE WHEN $3 = 'failed' THEN now() + $4::double precision * interval '1 millisecond'
                             ELSE next_attempt_at END
  WHERE id = $1 AND claim = $2 AND status IN ('pending', 'failed')
  RETURNING *
), logged AS (
  INSERT INTO delivery_attempts (delivery_id, number, started_at, duration_ms, response_status, response_body, error_code)
  SELECT held.id, held.attempts, now() - $5::double precision * interval '1 millisecond', $5, $6, $7, $8 FROM held
), shortened AS (
  DELETE FROM delivery_attempts USING held
  WHERE delivery_attempts.delivery_id = held.id AND delivery_attempts.number <= held.attempts - ${LOG_LENGTH}
)
SELECT CASE WHEN endpoint_id IS NOT NULL
            THEN turnpike_note_outcome(endpoint_id, status = 'delivered', $9, $10, $11, $12) END AS disabled,
  turnpike_note_receiver(lane, tenant_id, $13, $14, $15, $16) AS "breakerOpened"
FROM held`,
  row: z.object({ disabled: z.enum(['gone', 'failing']).nullable(), breakerOpened: z.boolean() }),
};

/**
 * Records an attempt; says whether it was the last one that its endpoint had, and whether its receiver is left
 * alone from now on. `receiverWell` is null where the attempt says nothing of the receiver. Null where the delivery
 * is not held any more: another worker has it, or it is over.
 */
export async function recordDelivery(
  sql: Sql,
  held: { id: string; claim: number },
  outcome: AttemptOutcome,
  report: AttemptReport,
  rules: { disabling: DisablingRule; breaker: ReceiverBreaker; receiverWell: boolean | null },
): Promise<{ disabled: 'gone' | 'failing' | null; breakerOpened: boolean } | null> {
  const { disabling, breaker, receiverWell } = rules;
  const [recorded] = await query(sql, RECORD, [
    held.id,
    held.claim,
    outcome.result,
    outcome.result === 'failed' ? outcome.retryInMs : 0,
    Math.round(report.durationMs),
    report.responseStatus,
    report.responseBody,
    report.errorCode,
    outcome.result === 'dead' && outcome.gone,
    disabling.afterMs,
    disabling.leastFailures,
    newId('event'),
    receiverWell,
    breaker.failuresToOpen,
    breaker.openMs,
    breaker.mostOpenMs,
  ]);
  return recorded ?? null;
}

/* It was not tried, so nothing of it counts; but what cannot be tried for days is given up like anything else. */
const PUT_BACK = {
  name: 'put-back-delivery',
  text: `
UPDATE deliveries
SET claimed_until = NULL, hinted_at = NULL, fresh = true, next_attempt_at = now() + $3::double precision * interval '1 millisecond',
    status = CASE WHEN begun_at < now() - $4::double precision * interval '1 millisecond' THEN 'dead' ELSE status END
WHERE id = $1 AND claim = $2 AND status IN ('pending', 'failed')
RETURNING status`,
  row: z.object({ status: z.string() }),
};

/** Gives a delivery that was not tried back for `delayMs`; one that was begun `giveUpAfterMs` ago is dead. */
export async function postponeDelivery(
  sql: Sql,
  held: { id: string; claim: number },
  settings: { delayMs: number; giveUpAfterMs: number },
): Promise<void> {
  await query(sql, PUT_BACK, [held.id, held.claim, settings.delayMs, settings.giveUpAfterMs]);
}
