import { isFinal } from '@turnpike/client';
import { useQuery } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { dollars } from '../../parts/figures.ts';
import { Facts } from '../../parts/facts.tsx';
import { Heading } from '../../parts/heading.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { Composer } from './composer.tsx';
import { Conversation } from './conversation.tsx';
import { ForkButton } from './fork-button.tsx';

export default function SessionScreen({ id }: { id: string }): ReactElement {
  const mayWrite = useMay('turns:write');
  const { data: session, error } = useQuery({
    queryKey: ['session', id],
    queryFn: ({ signal }) => turnpike.sessions.get(id, { signal }),
  });
  const newest = useNewestTurn(id);
  if (session === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  const { forked_from: origin } = session;
  return (
    <>
      <Heading title="Session">{mayWrite && <ForkButton sessionId={id} at={{}} label="Fork" />}</Heading>
      <Facts
        facts={{
          Id: <IdText id={id} />,
          Agent: <Link href={`/agents/${session.agent_id}`}>{session.agent_id}</Link>,
          Turns: <Link href={`/turns?session=${id}`}>{session.turn_count}</Link>,
          Created: <When at={session.created_at} />,
          Budget: session.budget_micros === null ? null : dollars(session.budget_micros),
          'Fork of':
            origin === null ? null : <Link href={`/sessions/${origin.session_id}`}>{origin.session_id}</Link>,
          'Made again':
            origin?.rerun_of == null ? null : (
              <Link href={`/turns/${origin.rerun_of}`}>{origin.rerun_of}</Link>
            ),
          'Started by':
            session.parent_session_id === null ? null : (
              <Link href={`/sessions/${session.parent_session_id}`}>{session.parent_session_id}</Link>
            ),
        }}
      />
      <Conversation sessionId={id} newest={newest} />
      {mayWrite && <Composer sessionId={id} isBusy={newest !== undefined && !isFinal(newest.status)} />}
    </>
  );
}

const EVERY_MS = 3_000;

/** The newest turn of the session: the conversation follows it while it is open. */
function useNewestTurn(id: string) {
  const { data } = useQuery({
    queryKey: ['newest', id],
    queryFn: ({ signal }) => turnpike.turns.list({ session_id: id, limit: 1 }, { signal }).page(),
    refetchInterval: EVERY_MS,
  });
  return data?.items[0];
}
