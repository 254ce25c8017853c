import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Empty, Heading } from '../../parts/heading.tsx';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { ManyApprovals } from './many-approvals.tsx';
import { RequiredActions } from './required-actions.tsx';
import { useWaiting } from './use-waiting.ts';

export default function InboxScreen(): ReactElement {
  const { data, error } = useWaiting();
  const mayWrite = useMay('turns:write');
  const turns = data?.items ?? [];
  return (
    <>
      <Heading title="Inbox" />
      <ProblemNote error={error} />
      {data === undefined && error === null && <Loading />}
      {data !== undefined && turns.length === 0 && (
        <Empty title="Nothing waits for you">
          <p>Approvals, questions, outputs of client tools and calls of unknown outcome come here.</p>
        </Empty>
      )}
      {mayWrite && <ManyApprovals turns={turns} />}
      {turns.map((turn) => (
        <section key={turn.id} aria-label={`Turn ${turn.id}`}>
          <h2>
            <Link href={`/turns/${turn.id}`}>{turn.id}</Link> <When at={turn.created_at} />
          </h2>
          <RequiredActions turn={turn} />
        </section>
      ))}
      {data?.next_cursor != null && (
        <p className="muted">More wait than these 100. They come as these are answered.</p>
      )}
    </>
  );
}
