import type { ReactElement } from 'react';
import { useList } from '../../parts/more.tsx';
import { turnpike } from '../../session/session.ts';
import { DeliveryTable } from './delivery-table.tsx';

const EVERY_MS = 5_000;

/** The deliveries of a turn's events. */
export function DeliveriesOf({ turnId }: { turnId: string }): ReactElement {
  const list = useList(
    ['deliveries', 'of', turnId],
    (signal) => turnpike.deliveries.list({ turn_id: turnId, limit: 50 }, { signal }),
    EVERY_MS,
  );
  return <DeliveryTable list={list} />;
}
