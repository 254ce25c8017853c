import type { Turn } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { dollars, duration, tokens } from '../../parts/figures.ts';
import { Facts } from '../../parts/facts.tsx';
import { Heading } from '../../parts/heading.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { Tabs } from '../../parts/tabs.tsx';
import { When } from '../../parts/when.tsx';
import { useMay, useSession } from '../../session/session-context.ts';
import { RequiredActions } from '../inbox/required-actions.tsx';
import { DeliveriesOf } from '../webhooks/deliveries-of.tsx';
import { EventList } from './event-list.tsx';
import { InputOf } from './input-of.tsx';
import { Timeline } from './timeline.tsx';
import { TurnActs } from './turn-acts.tsx';
import { TurnNotes } from './turn-notes.tsx';
import { useTurn, useTurnEvents } from './use-turn.ts';

export default function TurnScreen({ id }: { id: string }): ReactElement {
  const { data: turn, error } = useTurn(id);
  const followed = useTurnEvents(id);
  const maySeeWebhooks = useMay('webhooks:read');
  if (turn === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  return (
    <>
      <Heading
        title={
          <>
            Turn <Status status={turn.status} />
          </>
        }
      >
        <TurnActs turn={turn} />
      </Heading>
      <TurnFacts turn={turn} />
      <TurnNotes turn={turn} />
      {turn.required_action !== null && <RequiredActions turn={turn} />}
      <Tabs
        label="About this turn"
        tabs={[
          {
            name: 'timeline',
            title: 'Timeline',
            content: () => (
              <>
                <InputOf turn={turn} />
                <Timeline turn={turn} followed={followed} />
              </>
            ),
          },
          {
            name: 'events',
            title: `Events (${String(followed.events.length)})`,
            content: () => <EventList events={followed.events} />,
          },
          ...(maySeeWebhooks
            ? [{ name: 'deliveries', title: 'Deliveries', content: () => <DeliveriesOf turnId={id} /> }]
            : []),
          { name: 'json', title: 'JSON', content: () => <JsonView value={turn} /> },
        ]}
      />
    </>
  );
}

function TurnFacts({ turn }: { turn: Turn }): ReactElement {
  const { started_at: from, finished_at: to } = turn;
  return (
    <Facts
      facts={{
        Id: <IdText id={turn.id} />,
        Agent: (
          <Link href={`/agents/${turn.agent_id}`}>
            {turn.agent_id}, version {turn.agent_version}
          </Link>
        ),
        Session: (
          <>
            <Link href={`/sessions/${turn.session_id}`}>{turn.session_id}</Link>, turn {turn.sequence}
          </>
        ),
        Created: <When at={turn.created_at} />,
        Started: <When at={from} />,
        Took: from === null || to === null ? null : duration(Date.parse(to) - Date.parse(from)),
        Deadline: to === null ? <When at={turn.deadline_at} /> : null,
        Steps: turn.step_count,
        'Claims by workers': turn.attempts,
        Tokens: tokens(turn.usage),
        Cost:
          dollars(turn.cost_micros) +
          (turn.budget_micros === null ? '' : ` of ${dollars(turn.budget_micros)}`),
        'Cost with child turns':
          turn.total_cost_micros === turn.cost_micros ? null : dollars(turn.total_cost_micros),
        'Stop reason': turn.stop_reason,
        Priority: turn.priority === 0 ? null : turn.priority,
        Trace: turn.trace_id === null ? null : <TraceLink id={turn.trace_id} />,
      }}
    />
  );
}

function TraceLink({ id }: { id: string }): ReactElement {
  const { traceUrl } = useSession();
  if (traceUrl === null) return <IdText id={id} />;
  return (
    <a href={traceUrl.replaceAll('{trace_id}', id)} target="_blank" rel="noreferrer">
      {id}
    </a>
  );
}
