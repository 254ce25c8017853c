import type { ReactElement } from 'react';
import { count } from './figures.ts';
import { When } from './when.tsx';

/** The API counts turns that wait up to here. */
const MOST_COUNTED = 1_000;

/** How many turns wait for a slot, and since when the oldest does. */
export function WaitingTurns({
  counts: { waiting_turns: waiting, oldest_waiting_at: oldest },
}: {
  counts: { waiting_turns: number; oldest_waiting_at: string | null };
}): ReactElement {
  const shown = waiting < MOST_COUNTED ? count(waiting) : `${count(waiting)} or more`;
  if (oldest === null) return <>{shown}</>;
  return (
    <>
      {shown}, since <When at={oldest} />
    </>
  );
}
