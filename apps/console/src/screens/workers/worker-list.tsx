import type { ReactElement } from 'react';
import { Empty } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 10_000;

export function WorkerList(): ReactElement {
  const list = useList(
    ['workers'],
    (signal) => turnpike.operator.workers({ limit: 50 }, { signal }),
    EVERY_MS,
  );
  return (
    <Listing
      list={list}
      empty={
        <Empty title="No worker is alive">
          <p>Turns wait until one starts.</p>
        </Empty>
      }
    >
      <Table
        label="Live workers"
        head={
          <>
            <th>Worker</th>
            <th>Pool</th>
            <th>Turns</th>
            <th>Version</th>
            <th>Tools in code</th>
            <th>Heartbeat</th>
          </>
        }
      >
        {list.items.map((worker) => (
          <tr key={worker.id}>
            <td>
              <OutsideLine text={worker.id} most={60} />
            </td>
            <td>{worker.pool}</td>
            <td>
              {worker.running_turns} of {worker.slots}
            </td>
            <td>
              <OutsideLine text={worker.version ?? '–'} most={40} />
            </td>
            <td>
              <OutsideLine text={worker.tools.length === 0 ? '–' : worker.tools.join(', ')} most={120} />
            </td>
            <td>
              <When at={worker.seen_at} />
            </td>
          </tr>
        ))}
      </Table>
    </Listing>
  );
}
