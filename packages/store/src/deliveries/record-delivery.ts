import { newId } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** One POST and its result. */
export interface AttemptReport {
  durationMs: number;
  responseStatus: number | null;
  responseBody: string | null;
  errorCode: string | null;
}

/** What an attempt does to its delivery. */
export type AttemptOutcome =
  | { result: 'delivered' }
  | { result: 'failed'; retryInMs: number }
  /** `gone`: the receiver wants no more deliveries (410). */
  | { result: 'dead'; gone: boolean };

export interface DisablingRule {
  /** Milliseconds without a success, from the first failure on, after which an endpoint is disabled. */
  afterMs: number;
  leastFailures: number;
}

/** When the circuit breaker of a receiver opens, and for how long. */
export interface ReceiverBreaker {
  /** Failed attempts in a row. */
  failuresToOpen: number;
  /** Milliseconds at first; doubled each time a probe fails, up to `mostOpenMs`. */
  openMs: number;
  mostOpenMs: number;
}

/** The most attempts that are kept in the log of a delivery. */
const LOG_LENGTH = 20;

/*
 * Invariant: only the worker that holds the delivery records an attempt. The delivery, its log and the state
 * of its endpoint and receiver change in one commit.
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
 * Records an attempt. Returns whether it disabled the endpoint and whether it opened the receiver's circuit
 * breaker. `receiverWell` is null for an attempt that says nothing about the receiver. Null if the worker
 * does not hold the delivery any more.
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

/*
 * No attempt was made, so none is counted; but a delivery that was postponed for days becomes a dead letter.
 */
const POSTPONE = {
  name: 'postpone-delivery',
  text: `
UPDATE deliveries
SET claimed_until = NULL, hinted_at = NULL, fresh = true, next_attempt_at = now() + $3::double precision * interval '1 millisecond',
    status = CASE WHEN begun_at < now() - $4::double precision * interval '1 millisecond' THEN 'dead' ELSE status END
WHERE id = $1 AND claim = $2 AND status IN ('pending', 'failed')
RETURNING status`,
  row: z.object({ status: z.string() }),
};

/**
 * Releases a delivery that was not attempted, for `delayMs`. If it was begun `giveUpAfterMs` ago, it becomes
 * a dead letter.
 */
export async function postponeDelivery(
  sql: Sql,
  held: { id: string; claim: number },
  settings: { delayMs: number; giveUpAfterMs: number },
): Promise<void> {
  await query(sql, POSTPONE, [held.id, held.claim, settings.delayMs, settings.giveUpAfterMs]);
}
