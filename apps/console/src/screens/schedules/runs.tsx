import type { ScheduleRun } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { count } from '../../parts/figures.ts';
import { Empty } from '../../parts/heading.tsx';
import { shortId } from '../../parts/id-text.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Status } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 5_000;

/** What became of a schedule's ticks. */
export function Runs({ id }: { id: string }): ReactElement {
  const list = useList(
    ['schedules', id, 'runs'],
    (signal) => turnpike.schedules.runs(id, { limit: 20 }, { signal }),
    EVERY_MS,
  );
  return (
    <Listing list={list} empty={<Empty title="No ticks yet" />}>
      <Table
        label="History"
        head={
          <>
            <th>Tick</th>
            <th>Status</th>
            <th>Turn</th>
            <th>Note</th>
          </>
        }
      >
        {list.items.map((run) => (
          <tr key={run.id}>
            <td>
              <When at={run.tick_at} />
            </td>
            <td>
              <Status status={run.status} />
            </td>
            <td>
              {run.turn_id !== null && (
                <>
                  <Link href={`/turns/${run.turn_id}`}>{shortId(run.turn_id)}</Link>{' '}
                  {run.turn_status !== null && <Status status={run.turn_status} />}
                </>
              )}
            </td>
            <td>
              <OutsideLine text={noteOf(run)} most={120} />
            </td>
          </tr>
        ))}
      </Table>
    </Listing>
  );
}

function noteOf({ error, ticks }: ScheduleRun): string {
  if (error !== null) return `${error.code}: ${error.message}`;
  return ticks > 1 ? `${count(ticks)} ticks` : '';
}
