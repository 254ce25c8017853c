import { describeError } from '../failure.ts';

/** What one check found. */
export interface Finding {
  /** A stable name. */
  check: string;
  status: 'ok' | 'warning' | 'failure' | 'skipped';
  /** What was seen, on one line. */
  seen: string;
  /** What to do; null where nothing is to be done. */
  remedy: string | null;
}

export const ok = (check: string, seen: string): Finding => ({ check, status: 'ok', seen, remedy: null });
export const skipped = (check: string, seen: string): Finding => ({
  check,
  status: 'skipped',
  seen,
  remedy: null,
});
export const warning = (check: string, seen: string, remedy: string): Finding => ({
  check,
  status: 'warning',
  seen,
  remedy,
});
export const failure = (check: string, seen: string, remedy: string): Finding => ({
  check,
  status: 'failure',
  seen,
  remedy,
});

/** The result of `work`, or the finding that it failed: no check ends the others. */
export async function orFailure(
  check: string,
  remedy: string,
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    // A request says only that it failed; why is its cause.
    const cause = error instanceof Error ? error.cause : undefined;
    return [failure(check, describeError(cause ?? error), remedy)];
  }
}

/** Clocks may differ by less: what is compared is how long things take, and which receivers accept. */
const MOST_SKEW_MS = 2_000;

/** `theirs`: the time of a server, read between `before` and `after`. All in milliseconds since 1970. */
export function clockFinding(
  check: string,
  server: string,
  { theirs, before, after }: { theirs: number; before: number; after: number },
): Finding {
  const skewMs = Math.round(Math.max(before - theirs, theirs - after, 0));
  const seen = `differs from that of ${server} by ${skewMs} ms`;
  return skewMs <= MOST_SKEW_MS
    ? ok(check, `The clock of this machine ${seen}.`)
    : warning(
        check,
        `The clock of this machine ${seen}.`,
        'Synchronize both (NTP): signatures, and times in logs, are by these clocks.',
      );
}
