import type { Backplane } from '@turnpike/backplane';
import {
  cancelTurn,
  findOrphans,
  findOrphansOf,
  findParentsToWake,
  readParents,
  tellAncestors,
  wakeParents,
  type CancelledTurn,
  type Database,
  type Orphan,
} from '@turnpike/store';
import type { Dispatcher } from './dispatcher.ts';
import { TRANSITIONS } from './transitions.ts';
import { announceTurns } from './turn-signals.ts';

export interface FamilyParts {
  database: Pick<Database, 'pool'>;
  backplane: Backplane;
  dispatcher: Dispatcher;
}

/** The most that are cancelled at once: each has a transaction of its own. */
const AT_ONCE = 8;
/** Open child turns, and parked parents, that a pass looks at in one statement. */
const BATCH = 1_000;
/** Statements of each kind in one pass. */
const MOST_BATCHES = 10;

/**
 * Does what follows when these turns have ended, or were asked to cancel: cancels the child turns that they leave
 * behind, with all below them, and wakes the parents that waited for them. What is not done, since the process died
 * before, the reconciler does (`settleAllFamilies`).
 */
export async function settleFamilies(parts: FamilyParts, turnIds: readonly string[]): Promise<void> {
  const { pool } = parts.database;
  const ended = [...turnIds];
  for (let parents = turnIds; parents.length > 0;) {
    const cancelled = await cancelOrphans(parts, await findOrphansOf(pool, parents));
    parents = cancelled.map(({ turnId }) => turnId);
    ended.push(...parents);
  }
  const waiting = await readParents(pool, ended);
  if (waiting.length > 0) await wake(parts, waiting, true);
}

/**
 * Tells the clients of parked turns, by an event, that a turn below them requires an action. `turnIds`: turns that
 * require one, or that were parked just now.
 */
export async function tellFamilies(
  { database, backplane }: Pick<FamilyParts, 'database' | 'backplane'>,
  turnIds: readonly string[],
): Promise<void> {
  for (const told of await tellAncestors(database.pool, turnIds)) backplane.live.changed(told);
}

/** For the reconciler: where to continue with the next pass. */
export interface FamilyCursors {
  orphan: string;
  parent: string;
}

/** Does it for all turns, in bounded batches. Returns how many turns were cancelled and woken. */
export async function settleAllFamilies(
  parts: FamilyParts,
  cursors: FamilyCursors,
): Promise<{ orphans: number; woken: number }> {
  const { pool } = parts.database;
  let orphans = 0;
  for (let batch = 0; batch < MOST_BATCHES; batch++) {
    const found = await findOrphans(pool, cursors.orphan, BATCH);
    cursors.orphan = found.last ?? '';
    const cancelled = await cancelOrphans(parts, found.orphans);
    orphans += cancelled.length;
    // What is below them is found at once, and need not wait for passes of its own.
    if (cancelled.length > 0)
      await settleFamilies(
        parts,
        cancelled.map(({ turnId }) => turnId),
      );
    if (found.last === null) break;
  }
  let woken = 0;
  for (let batch = 0; batch < MOST_BATCHES; batch++) {
    const found = await findParentsToWake(pool, cursors.parent, BATCH);
    cursors.parent = found.last ?? '';
    if (found.turnIds.length > 0) woken += await wake(parts, found.turnIds, false);
    if (found.untold.length > 0) await tellFamilies(parts, found.untold);
    if (found.last === null) break;
  }
  return { orphans, woken };
}

async function cancelOrphans(parts: FamilyParts, orphans: readonly Orphan[]): Promise<CancelledTurn[]> {
  const cancelled: CancelledTurn[] = [];
  const left = [...orphans];
  const cancelNext = async (): Promise<void> => {
    for (let orphan = left.shift(); orphan !== undefined; orphan = left.shift()) {
      const { turnId, sessionId, tenantId } = orphan;
      const done = await cancelTurn(parts.database.pool, tenantId, turnId, TRANSITIONS.cancel.from);
      if (done === null) continue;
      cancelled.push(done);
      parts.dispatcher.changed({ sessionId, tenantId });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, left.length) }, cancelNext));
  await announceTurns(
    parts.backplane,
    cancelled.map(({ turnId, status }) => ({ turn_id: turnId, status })),
  );
  return cancelled;
}

async function wake(parts: FamilyParts, turnIds: readonly string[], waits: boolean): Promise<number> {
  const woken = await wakeParents(parts.database.pool, turnIds, { waits });
  for (const { tenantId } of woken) parts.dispatcher.changed({ tenantId });
  return woken.length;
}
