import type { ReactElement } from 'react';
import { Empty } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';
import { turnpike } from '../../session/session.ts';

export function AuditLog(): ReactElement {
  const list = useList(['audit'], (signal) => turnpike.auditLog.list({ limit: 50 }, { signal }));
  return (
    <Listing list={list} empty={<Empty title="No acts yet" />}>
      <Table
        label="Audit log"
        head={
          <>
            <th>When</th>
            <th>Act</th>
            <th>By</th>
            <th>Subject</th>
            <th>Details</th>
          </>
        }
      >
        {list.items.map((entry) => (
          <tr key={entry.id}>
            <td>
              <When at={entry.at} />
            </td>
            <td>
              <code>{entry.action}</code>
            </td>
            <td>{entry.actor.type === 'operator' ? 'operator' : entry.actor.id}</td>
            <td>
              <OutsideLine text={entry.subject ?? ''} most={80} />
            </td>
            <td>
              <OutsideLine text={JSON.stringify(entry.details)} most={120} />
            </td>
          </tr>
        ))}
      </Table>
    </Listing>
  );
}
