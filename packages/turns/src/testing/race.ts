import { setTimeout as delay } from 'node:timers/promises';
import { openDatabase, type Database, type Sql } from '@turnpike/store';

import { answerOf, moveOf, type Move, type MoveName } from './race-moves.ts';
import { makeScene, readScene, type Start } from './race-scene.ts';

/** A move and how it is made: with the pool, where it shares its statement, or with one connection, where it waits. */
export interface Contender {
  name: MoveName;
  alone: boolean;
}

/** How two moves ended: all that must be the same in one of their two orders. */
export interface Ending {
  outcome: string;
  /** The turn's status; `erased` where it is gone. */
  status: string;
  flaws: string[];
}

export interface RaceTrack {
  /** One after the other. */
  inTurn(start: Start, first: MoveName, second: MoveName): Promise<Ending>;
  /** Both wait for a row that somebody else holds, `first` before `second`, and are let go at once. */
  atOnce(start: Start, first: Contender, second: Contender): Promise<Ending>;
  close(): Promise<void>;
}

/** Opens what races are run with. `setUp` makes their scenes. */
export function openRaceTrack(
  url: string,
  setUp: Database,
  owner: { tenantId: string; agentId: string },
): RaceTrack {
  const open = (applicationName: string): Database =>
    openDatabase({ url, poolSize: 2, applicationName, onError: () => undefined });
  const [first, second, blocker] = [open('first'), open('second'), open('blocker')];

  /** Resolves once the move waits for a lock, or is done without. */
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

  const race = async (
    start: Start,
    moves: [Contender, Contender],
    run: (sessionId: string, begin: [() => Promise<string>, () => Promise<string>]) => Promise<string[]>,
  ): Promise<Ending> => {
    const scene = await makeScene(setUp, start, owner);
    const begin = moves.map((contender, place) => {
      const { pool } = place === 0 ? first : second;
      const move = moveOf(contender.name);
      return () => withSql(pool, contender.alone, (sql) => answerOf(move, sql, scene));
    });
    const [beginFirst, beginSecond] = begin;
    if (beginFirst === undefined || beginSecond === undefined) throw new Error('A race is between two.');
    const answers = await run(scene.sessionId, [beginFirst, beginSecond]);
    const made = moves.map(({ name }) => moveOf(name));
    for (const move of made) if (isAgain(move)) await answerOf(move, setUp.pool, scene);
    const { state, status, flaws } = await readScene(setUp, scene);
    await setUp.pool.query('DELETE FROM sessions WHERE id = $1', [scene.sessionId]);
    const told = moves.map(({ name }, place) =>
      isAgain(moveOf(name)) ? name : `${name}: ${answers[place]}`,
    );
    // In one order, whichever of the two was first.
    return { outcome: `${told.toSorted().join('; ')}; ${state}`, status, flaws };
  };

  return {
    inTurn: (start, one, other) =>
      race(
        start,
        [
          { name: one, alone: false },
          { name: other, alone: false },
        ],
        async (_sessionId, [beginFirst, beginSecond]) => {
          const answer = await beginFirst();
          return [answer, await beginSecond()];
        },
      ),
    atOnce: (start, one, other) =>
      race(start, [one, other], async (sessionId, [beginFirst, beginSecond]) => {
        const client = await blocker.pool.connect();
        try {
          await client.query('BEGIN');
          await client.query('SELECT 1 FROM turns WHERE session_id = $1 ORDER BY sequence FOR UPDATE', [
            sessionId,
          ]);
          await client.query('SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', [sessionId]);
          const moves = [beginFirst()];
          await untilHeld('first', Promise.all(moves));
          moves.push(beginSecond());
          await untilHeld('second', Promise.all(moves.slice(1)));
          await client.query('COMMIT');
          return await Promise.all(moves);
        } finally {
          client.release();
        }
      }),
    close: async () => {
      await Promise.all([first.close(), second.close(), blocker.close()]);
    },
  };
}

const isAgain = (move: Move): boolean => move.comesAgain === true;

async function withSql<Result>(
  pool: Database['pool'],
  alone: boolean,
  work: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  if (!alone) return work(pool);
  const client = await pool.connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
}
