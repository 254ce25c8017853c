import type { WorkerPool } from '@turnpike/client';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Facts } from '../../parts/facts.tsx';
import { count } from '../../parts/figures.ts';
import { Loading } from '../../parts/loading.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { PauseButton } from '../../parts/pause-button.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { WaitingTurns } from '../../parts/waiting-turns.tsx';
import { When } from '../../parts/when.tsx';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 5_000;

export function Pools(): ReactElement {
  const { data: pools, error } = useQuery({
    queryKey: ['pools'],
    queryFn: ({ signal }) => turnpike.operator.pools({ signal }),
    refetchInterval: EVERY_MS,
  });
  return (
    <>
      <ProblemNote error={error} />
      {pools === undefined && error === null && <Loading />}
      {pools?.map((pool) => (
        <PoolCard key={pool.name} pool={pool} />
      ))}
    </>
  );
}

function PoolCard({ pool }: { pool: WorkerPool }): ReactElement {
  const queries = useQueryClient();
  const { name, workers, slots, running_turns: running, paused_at: pausedAt } = pool;
  return (
    <article className="card" aria-label={`Pool ${name}`}>
      <h2>
        <Status status={statusOf(pool)} /> {name}
      </h2>
      <progress max={Math.max(1, slots)} value={Math.min(running, slots)} aria-label="Slots in use" />
      <Facts
        facts={{
          'Slots in use': `${count(running)} of ${count(slots)}`,
          Workers: count(workers),
          'In the queue': count(pool.dispatched_turns),
          Waiting: <WaitingTurns counts={pool} />,
          Versions:
            pool.versions.length === 0 ? null : (
              <OutsideLine
                text={pool.versions
                  .map((each) => `${each.version ?? 'unknown'} × ${each.workers}`)
                  .join(', ')}
                most={200}
              />
            ),
          Paused: pausedAt === null ? null : <When at={pausedAt} />,
        }}
      />
      <div className="actions">
        <PauseButton
          what={`pool ${name}`}
          isPaused={pausedAt !== null}
          pause={() => turnpike.operator.pausePool(name)}
          resume={() => turnpike.operator.resumePool(name)}
          onDone={() => void queries.invalidateQueries({ queryKey: ['pools'] })}
        />
      </div>
    </article>
  );
}

function statusOf({ paused_at: pausedAt, workers }: WorkerPool): string {
  if (pausedAt !== null) return 'paused';
  return workers === 0 ? 'no workers' : 'active';
}
