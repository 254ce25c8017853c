import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Schedule } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link, useLocation } from 'wouter';
import { ActButton } from '../../parts/act-button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Facts } from '../../parts/facts.tsx';
import { Heading } from '../../parts/heading.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { Loading } from '../../parts/loading.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { describeTiming } from './describe-timing.ts';
import { NextTicks } from './next-ticks.tsx';
import { Runs } from './runs.tsx';

const EVERY_MS = 5_000;

export default function ScheduleScreen({ id }: { id: string }): ReactElement {
  const { data: schedule, error } = useQuery({
    queryKey: ['schedules', id],
    queryFn: ({ signal }) => turnpike.schedules.get(id, { signal }),
    refetchInterval: EVERY_MS,
  });
  if (schedule === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  return (
    <>
      <Heading
        title={
          <>
            <OutsideLine text={schedule.name ?? 'Schedule'} most={60} /> <Status status={schedule.status} />
          </>
        }
      >
        <Acts schedule={schedule} />
      </Heading>
      <ProblemNote error={error} />
      <Facts
        facts={{
          Id: <IdText id={schedule.id} />,
          Ticks: describeTiming(schedule.timing),
          Next: <When at={schedule.next_due_at} />,
          Last: <When at={schedule.last_tick_at} />,
          Agent: <Link href={`/agents/${schedule.turn.agent_id}`}>{schedule.turn.agent_id}</Link>,
          Session:
            schedule.session_id === null ? (
              schedule.session
            ) : (
              <Link href={`/sessions/${schedule.session_id}`}>{schedule.session_id}</Link>
            ),
          'While one is open': schedule.overlap,
          'After a pause of the service': `${schedule.catch_up}, up to ${schedule.catch_up_seconds} s`,
        }}
      />
      {schedule.status !== 'ended' && <NextTicks id={id} />}
      <h2>History</h2>
      <Runs id={id} />
      <h2>Turn</h2>
      <JsonView value={schedule.turn} />
    </>
  );
}

function Acts({ schedule: { id, status } }: { schedule: Schedule }): ReactElement | null {
  const mayWrite = useMay('schedules:write');
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['schedules'] });
  if (!mayWrite) return null;
  return (
    <>
      {status === 'active' && (
        <ActButton label="Pause" act={() => turnpike.schedules.pause(id)} onDone={refresh} />
      )}
      {status === 'paused' && (
        <ActButton label="Resume" act={() => turnpike.schedules.resume(id)} onDone={refresh} />
      )}
      <ConfirmButton
        label="Delete schedule"
        title="Delete this schedule?"
        act={() => turnpike.schedules.delete(id)}
        onDone={() => {
          refresh();
          navigate('/schedules');
        }}
      >
        <p>It has no more ticks, and its history is deleted. Its turns and sessions stay.</p>
      </ConfirmButton>
    </>
  );
}
