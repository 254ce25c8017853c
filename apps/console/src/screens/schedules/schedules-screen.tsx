import { useState, type ReactElement } from 'react';
import { Link, useLocation } from 'wouter';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Empty, Heading } from '../../parts/heading.tsx';
import { shortId } from '../../parts/id-text.tsx';
import { JsonForm } from '../../parts/json-form.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Status } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { describeTiming } from './describe-timing.ts';

const EVERY_MS = 10_000;
const NEW_SCHEDULE = {
  name: 'Every working day',
  timing: { type: 'cron' as const, expression: '0 9 * * MON-FRI', time_zone: 'UTC' },
  turn: { agent_id: 'agent_…', input: 'What is new?' },
};

export default function SchedulesScreen(): ReactElement {
  const mayWrite = useMay('schedules:write');
  const [isNew, setNew] = useState(false);
  const [, navigate] = useLocation();
  const list = useList(
    ['schedules'],
    (signal) => turnpike.schedules.list({ limit: 50 }, { signal }),
    EVERY_MS,
  );
  return (
    <>
      <Heading title="Schedules">
        {mayWrite && <Button onClick={() => setNew(true)}>New schedule</Button>}
      </Heading>
      {isNew && (
        <Dialog title="New schedule" onClose={() => setNew(false)}>
          <JsonForm
            label="Schedule"
            value={NEW_SCHEDULE}
            submit="Create"
            save={(value) => turnpike.schedules.create(value as unknown as typeof NEW_SCHEDULE)}
            onSaved={({ id }) => navigate(`/schedules/${id}`)}
          />
        </Dialog>
      )}
      <Listing
        list={list}
        empty={
          <Empty title="No schedules yet">
            <p>A schedule submits a turn by cron, at intervals, or once.</p>
          </Empty>
        }
      >
        <Table
          label="Schedules"
          head={
            <>
              <th>Status</th>
              <th>Schedule</th>
              <th>Ticks</th>
              <th>Next</th>
              <th>Last</th>
            </>
          }
        >
          {list.items.map((schedule) => (
            <tr key={schedule.id}>
              <td>
                <Status status={schedule.status} />
              </td>
              <td>
                <Link href={`/schedules/${schedule.id}`}>
                  <OutsideLine text={schedule.name ?? shortId(schedule.id)} most={60} />
                </Link>
              </td>
              <td>{describeTiming(schedule.timing)}</td>
              <td>
                <When at={schedule.next_due_at} />
              </td>
              <td>
                <When at={schedule.last_tick_at} />
              </td>
            </tr>
          ))}
        </Table>
      </Listing>
    </>
  );
}
