import type { CrashPoint } from './crash-points.ts';
import type { RunOptions } from './run-options.ts';
import { runTurn } from './run-turn.ts';
import type { TestedTurn } from './tested-turn.ts';

export interface CrashEverywhereOptions extends Omit<RunOptions, 'crash'> {
  /** Called before each run: puts back what the tools act on. */
  before?(): void | Promise<void>;
  /** Throws where the end of a run is not as it must be. `point`: where its worker died; `none` in the run without a crash. */
  check(turn: TestedTurn, point: CrashPoint): void | Promise<void>;
  /** Which moments are tried. Default: all. */
  only?(point: CrashPoint): boolean;
}

/**
 * Runs a turn once without a crash, then once for every moment that it passed, with a worker that dies there; each end
 * is checked. Returns the moments. Throws the first error of `check`, with the moment in its message.
 */
export async function crashEverywhere(options: CrashEverywhereOptions): Promise<CrashPoint[]> {
  const { before, check, only = () => true, ...run } = options;
  const runOnce = async (point: CrashPoint | null): Promise<TestedTurn> => {
    await before?.();
    const turn = await runTurn(point === null ? run : { ...run, crash: point });
    try {
      await check(turn, point ?? 'none');
    } catch (error) {
      throw point === null ? error : explain(error, point);
    }
    return turn;
  };
  const clean = await runOnce(null);
  const points = [...new Set(clean.crashPoints)].filter((point) => only(point));
  for (const point of points) await runOnce(point);
  return points;
}

/** The same error, which says where the worker had died. */
function explain(error: unknown, point: CrashPoint): unknown {
  if (!(error instanceof Error)) return error;
  const prefix = `A worker died ${point}: `;
  if (!error.message.startsWith(prefix)) error.message = `${prefix}${error.message}`;
  return error;
}
