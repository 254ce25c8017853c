import { useQuery } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { When } from '../../parts/when.tsx';
import { turnpike } from '../../session/session.ts';

const SHOWN = 5;
const EVERY_MS = 10_000;

/** When the schedule is due next; of a paused one, as if it were resumed now. */
export function NextTicks({ id }: { id: string }): ReactElement {
  const { data, error } = useQuery({
    queryKey: ['schedules', id, 'forecast'],
    queryFn: ({ signal }) => turnpike.schedules.forecast(id, { limit: SHOWN, signal }),
    refetchInterval: EVERY_MS,
  });
  return (
    <>
      <h2>Next ticks</h2>
      {data === undefined && (error === null ? <Loading /> : <ProblemNote error={error} />)}
      {data !== undefined && (
        <ol>
          {data.items.map(({ tick_at: at, due_at: due }) => (
            <li key={at}>
              {new Date(due).toLocaleString()} (<When at={due} />)
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
