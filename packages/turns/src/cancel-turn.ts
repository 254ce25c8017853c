import { ProblemError, type Turn } from '@turnpike/contract';
import {
  cancelOpenTurns,
  cancelTurn as cancelStored,
  readTurn,
  type CancelledTurn,
  type Sql,
} from '@turnpike/store';
import { settleFamilies } from './settle-families.ts';
import type { SubmitParts } from './submit-command.ts';
import { TRANSITIONS } from './transitions.ts';
import { announceTurns } from './turn-signals.ts';

/**
 * Cancels a turn in whatever state before its end: at once where no worker holds it, else it is `cancelling` until
 * its worker confirms. A turn that has ended stays as it is.
 * `cancelled` is what is to be announced once this is committed; null where nothing changed.
 * Throws `ProblemError`: `not_found`.
 */
export async function cancelTurn(
  sql: Sql,
  tenantId: string,
  turnId: string,
): Promise<{ turn: Turn; cancelled: CancelledTurn | null }> {
  const cancelled = await cancelStored(sql, tenantId, turnId, TRANSITIONS.cancel.from);
  const turn = await readTurn(sql, tenantId, turnId);
  if (turn === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
  return { turn, cancelled };
}

/**
 * Cancels all turns of a session that have not ended, each as `cancelTurn` does. `sql` is in a transaction. Returns what
 * is to be announced once this is committed.
 */
export function interruptSession(sql: Sql, tenantId: string, sessionId: string): Promise<CancelledTurn[]> {
  return cancelOpenTurns(sql, { tenantId, sessionId, rollBack: false }, TRANSITIONS.cancel.from);
}

/**
 * Signals turns that were cancelled by a request about `turn`, all of its session: workers that hold one stop it,
 * and clients that wait for one read it again. A worker that the signal does not reach learns of it by its heartbeat.
 * Then their child turns are cancelled.
 */
export function announceCancelled(
  parts: Pick<SubmitParts, 'database' | 'backplane' | 'dispatcher' | 'reportError'>,
  tenantId: string,
  turn: Pick<Turn, 'id' | 'session_id'>,
  cancelled: readonly CancelledTurn[],
): void {
  if (cancelled.length === 0) return;
  const { backplane, dispatcher, reportError } = parts;
  dispatcher.changed({ sessionId: turn.session_id, tenantId });
  const signals = cancelled.map(({ turnId, status }) => ({ turn_id: turnId, status }));
  const report = (error: unknown): void =>
    reportError(error, { tenant_id: tenantId, session_id: turn.session_id, turn_id: turn.id });
  announceTurns(backplane, signals).catch(report);
  settleFamilies(
    parts,
    cancelled.map(({ turnId }) => turnId),
  ).catch(report);
}
