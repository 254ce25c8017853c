import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId } from '@turnpike/contract';
import { createTenant, insertAgent } from '@turnpike/store';
import { openTestDatabase, type TestDatabase } from '../../../tests/support/test-database.ts';
import { IS_LONG } from '../../../tests/support/test-length.ts';
import { openRaceTrack, type RaceTrack } from './testing/race.ts';
import { endsOf } from './testing/race-ends.ts';
import { moveOf, type MoveName } from './testing/race-moves.ts';
import { STARTS, type Start } from './testing/race-scene.ts';

let database: TestDatabase;
let track: RaceTrack;
beforeAll(async () => {
  database = await openTestDatabase(2);
  const tenantId = await createTenant(database, 'Acme');
  const agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  track = await openRaceTrack(database.url, database, { tenantId, agentId });
});
afterAll(() => database.close());

/** The moves that may meet on a turn in this state. */
const MEETING: Record<Start, MoveName[]> = {
  queued: ['claim', 'accept', 'reject', 'steer', 'cancel', 'interrupt', 'rollback', 'miss', 'erase'],
  followed: ['claim', 'cancel', 'cancelNext', 'interrupt', 'rollback', 'miss', 'erase'],
  in_progress: [
    ...(['renew', 'step', 'complete', 'fail', 'park', 'release'] as const),
    ...(['accept', 'reject', 'steer', 'cancel', 'interrupt', 'rollback', 'erase'] as const),
  ],
  expired: ['expireLease', 'renew', 'complete', 'accept', 'steer', 'cancel', 'interrupt', 'erase'],
  cancelling: ['renew', 'step', 'complete', 'park', 'release', 'steer', 'cancel', 'interrupt', 'erase'],
  requires_action: [
    ...(['answer', 'expireAction', 'miss', 'accept', 'reject'] as const),
    ...(['steer', 'cancel', 'interrupt', 'rollback', 'erase'] as const),
  ],
  failed: ['resume', 'accept', 'reject', 'steer', 'cancel', 'interrupt', 'erase'],
};

type Way = 'atOnce' | 'beforeCommit';

/**
 * Whether two moves meet in this way in this order. In the short form every two meet in each way once: at once with the
 * one that is named first before the other, and before the commit the other way round where that is possible.
 */
function isTried(way: Way, first: MoveName, second: MoveName, moves: readonly MoveName[]): boolean {
  if (way === 'beforeCommit' && moveOf(first).passesOver !== true) return false;
  if (IS_LONG || first === second) return true;
  const isForth = moves.indexOf(first) < moves.indexOf(second);
  return way === 'atOnce' ? isForth : !isForth || moveOf(second).passesOver !== true;
}

let interleavings = 0;

test.each(STARTS)('two moves that meet on a turn, %s, end as one after the other would', async (start) => {
  const moves = MEETING[start];
  const inTurn = keep((first: MoveName, second: MoveName) => track.inTurn(start, first, second));
  const wrong: string[] = [];
  for (const first of moves) {
    for (const second of moves) {
      const orders = [await inTurn(first, second), await inTurn(second, first)];
      const ends = endsOf(start, first, second);
      for (const meet of (['atOnce', 'beforeCommit'] as const).filter((way) =>
        isTried(way, first, second, moves),
      )) {
        interleavings += 1;
        const race = `${meet}: ${first}, then ${second}`;
        try {
          const { outcome, status, flaws } = await track[meet](start, first, second);
          if (!orders.some((order) => order.outcome === outcome)) {
            wrong.push([race, outcome, 'is none of', ...orders.map((order) => order.outcome)].join('\n'));
          }
          if (!ends.includes(status)) wrong.push(`${race}: ${status}, and not ${ends.join(' or ')}`);
          if (flaws.length > 0) wrong.push(`${race}: what is counted is not what is there: ${flaws.join()}`);
        } catch (error) {
          wrong.push(`${race}: ${explain(error)}`);
        }
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('no two of them deadlocked', async () => {
  // A connection reports its statistics when it closes, at the latest.
  await track.close();
  const { rows } = await database.pool.query(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(rows).toEqual([{ deadlocks: 0 }]);
  process.stderr.write(`Races: ${interleavings} interleavings of two moves on a turn.\n`);
});

function keep<Result>(
  make: (first: MoveName, second: MoveName) => Promise<Result>,
): (first: MoveName, second: MoveName) => Promise<Result> {
  const made = new Map<string, Promise<Result>>();
  return (first, second) => {
    const key = `${first} ${second}`;
    const known = made.get(key) ?? make(first, second);
    made.set(key, known);
    return known;
  };
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return 'something was thrown that is no error';
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message;
}
