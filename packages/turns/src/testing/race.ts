import { setTimeout as delay } from 'node:timers/promises';
import { openDatabase, type Database } from '@turnpike/store';
import { answerOf, moveOf, type MoveName } from './race-moves.ts';
import { makeScene, readScene, type Scene, type Start } from './race-scene.ts';

/** How two moves ended: it must equal that of one of their two orders. */
export interface Ending {
  outcome: string;
  /** The turn's status; `erased` if it is deleted. */
  status: string;
  flaws: string[];
}

type Race = (start: Start, first: MoveName, second: MoveName) => Promise<Ending>;

export interface RaceTrack {
  /** One after the other. */
  inTurn: Race;
  /** Both wait for rows that a third connection locks, `first` before `second`, and are released at once. */
  atOnce: Race;
  /** `first` is kept from its commit until `second` waits for it, or has skipped its rows. */
  beforeCommit: Race;
  close(): Promise<void>;
}

/** The advisory lock that keeps `first` from its commit. */
const GATE = 4_712;

/** Opens the connections for races. `setUp` is for scenes. */
export async function openRaceTrack(
  url: string,
  setUp: Database,
  owner: { tenantId: string; agentId: string },
): Promise<RaceTrack> {
  const open = (applicationName: string): Database =>
    openDatabase({ url, poolSize: 2, applicationName, onError: () => undefined });
  const [first, second, holder] = [open('first'), open('second'), open('holder')];
  // AFTER: the statement has written everything, as it does without a trigger.
  await setUp.pool.query(`
    CREATE FUNCTION wait_before_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(${GATE});
      RETURN NULL;
    END $$;
    CREATE TRIGGER wait_before_commit AFTER INSERT OR UPDATE ON turns FOR EACH STATEMENT
      WHEN (current_setting('application_name') = 'first') EXECUTE FUNCTION wait_before_commit()`);

  /** Resolves once the move waits for a lock, or has ended. */
  const untilHeld = async (applicationName: string, move: Promise<unknown>): Promise<void> => {
    const done = move.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([done, delay(1)]))) {
      const { rows } = await setUp.pool.query(
        `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND application_name = $1 AND datname = current_database()`,
        [applicationName],
      );
      if (rows.length > 0) return;
    }
  };

  /** `hold` acquires what the moves are to wait for, and returns its release; without it they do not wait. */
  const racing =
    (hold?: (scene: Scene) => Promise<() => Promise<void>>): Race =>
    async (start, one, other) => {
      const scene = await makeScene(setUp, start, owner);
      const letGo = await hold?.(scene);
      const begun = answerOf(moveOf(one), first.pool, scene);
      if (letGo === undefined) await begun;
      else await untilHeld('first', begun);
      const begunAfter = answerOf(moveOf(other), second.pool, scene);
      if (letGo !== undefined) await untilHeld('second', begunAfter);
      await letGo?.();
      const answers = await Promise.all([begun, begunAfter]);
      const told: string[] = [];
      for (const [index, name] of [one, other].entries()) {
        const { comesAgain } = moveOf(name);
        if (comesAgain === true) await answerOf(moveOf(name), setUp.pool, scene);
        told.push(comesAgain === true ? name : `${name}: ${answers[index]}`);
      }
      const { state, status, flaws } = await readScene(setUp, scene);
      await setUp.pool.query('DELETE FROM sessions WHERE id = $1', [scene.sessionId]);
      // Sorted, so that the order of the two does not matter.
      return { outcome: `${told.toSorted().join('; ')}; ${state}`, status, flaws };
    };

  /** Runs statements on their own connection, and returns a function that runs `giving` there. */
  const holding = async (taking: [string, unknown[]][], giving: string): Promise<() => Promise<void>> => {
    const client = await holder.pool.connect();
    for (const [text, values] of taking) await client.query(text, values);
    return async () => {
      await client.query(giving);
      client.release();
    };
  };

  return {
    inTurn: racing(),
    atOnce: racing(({ sessionId }) =>
      holding(
        [
          ['BEGIN', []],
          ['SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', [sessionId]],
          ['SELECT 1 FROM turns WHERE session_id = $1 ORDER BY sequence FOR UPDATE', [sessionId]],
        ],
        'COMMIT',
      ),
    ),
    beforeCommit: racing(() =>
      holding([['SELECT pg_advisory_lock($1)', [GATE]]], `SELECT pg_advisory_unlock(${GATE})`),
    ),
    close: async () => {
      await Promise.all([first.close(), second.close(), holder.close()]);
    },
  };
}
