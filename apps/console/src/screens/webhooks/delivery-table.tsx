import type { Delivery } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Empty } from '../../parts/heading.tsx';
import { shortId } from '../../parts/id-text.tsx';
import { Listing } from '../../parts/listing.tsx';
import type { Listed } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Status } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';

export function DeliveryTable({ list }: { list: Listed<Delivery> }): ReactElement {
  return (
    <Listing list={list} empty={<Empty title="No deliveries" />}>
      <Table
        label="Deliveries"
        head={
          <>
            <th>Status</th>
            <th>Delivery</th>
            <th>Event</th>
            <th>Receiver</th>
            <th>Turn</th>
            <th className="number">Attempts</th>
            <th>Next</th>
            <th>Created</th>
          </>
        }
      >
        {list.items.map((delivery) => (
          <tr key={delivery.id}>
            <td>
              <Status status={delivery.status} />
            </td>
            <td>
              <Link href={`/deliveries/${delivery.id}`} title={delivery.id}>
                {shortId(delivery.id)}
              </Link>
            </td>
            <td>
              <code>{delivery.type}</code>
            </td>
            <td>
              <OutsideLine text={delivery.url} most={60} />
            </td>
            <td>
              {delivery.turn_id !== null && (
                <Link href={`/turns/${delivery.turn_id}`} title={delivery.turn_id}>
                  {shortId(delivery.turn_id)}
                </Link>
              )}
            </td>
            <td className="number">{delivery.attempts}</td>
            <td>
              <When at={delivery.next_attempt_at} />
            </td>
            <td>
              <When at={delivery.created_at} />
            </td>
          </tr>
        ))}
      </Table>
    </Listing>
  );
}
