import type { Batch } from '@turnpike/client';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { ActButton } from '../../parts/act-button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { count } from '../../parts/figures.ts';
import { Empty, Heading } from '../../parts/heading.tsx';
import { Loading } from '../../parts/loading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 5_000;

export default function BatchesScreen(): ReactElement {
  const [id, setId] = useQueryParameter('id');
  return (
    <>
      <Heading title="Batches">
        {id !== '' && (
          <button type="button" className="button" onClick={() => setId('')}>
            All batches
          </button>
        )}
      </Heading>
      {id === '' ? <All /> : <One id={id} />}
    </>
  );
}

function One({ id }: { id: string }): ReactElement {
  const { data: batch, error } = useQuery({
    queryKey: ['batches', id],
    queryFn: ({ signal }) => turnpike.batches.get(id, { signal }),
    refetchInterval: EVERY_MS,
  });
  if (batch === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  return <BatchCard batch={batch} />;
}

function All(): ReactElement {
  const list = useList(['batches'], (signal) => turnpike.batches.list({ limit: 20 }, { signal }), EVERY_MS);
  return (
    <Listing
      list={list}
      empty={
        <Empty title="No batches yet">
          <p>POST /v1/batches submits up to 100,000 turns at once.</p>
        </Empty>
      }
    >
      {list.items.map((batch) => (
        <BatchCard key={batch.id} batch={batch} />
      ))}
    </Listing>
  );
}

function BatchCard({ batch }: { batch: Batch }): ReactElement {
  const mayWrite = useMay('turns:write');
  const queries = useQueryClient();
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['batches'] });
  const { id, status, counts } = batch;
  const { total, ...states } = counts;
  const ended = states.completed + states.failed + states.incomplete + states.cancelled + states.refused;
  return (
    <article className="card" aria-label={`Batch ${id}`}>
      <h2>
        <Status status={status} /> {id}
      </h2>
      <progress max={Math.max(1, total)} value={ended} aria-label="Lines that ended" />
      <p>
        {count(ended)} of {count(total)} ended
        {Object.entries(states)
          .filter(([, lines]) => lines > 0)
          .map(([name, lines]) => ` · ${count(lines)} ${name.replaceAll('_', ' ')}`)}
      </p>
      <p className="muted">
        Created <When at={batch.created_at} />
        {batch.waiting_for !== null && ` · waits: ${batch.waiting_for.replaceAll('_', ' ')}`}
      </p>
      {mayWrite && (
        <div className="actions">
          {status === 'in_progress' && (
            <ActButton label="Pause" act={() => turnpike.batches.pause(id)} onDone={refresh} />
          )}
          {status === 'paused' && (
            <ActButton label="Resume" act={() => turnpike.batches.resume(id)} onDone={refresh} />
          )}
          {(status === 'in_progress' || status === 'paused') && (
            <ConfirmButton
              label="Cancel batch"
              title="Cancel this batch?"
              act={() => turnpike.batches.cancel(id)}
              onDone={refresh}
            >
              <p>Its open turns are cancelled, and no further line becomes one.</p>
            </ConfirmButton>
          )}
        </div>
      )}
    </article>
  );
}
