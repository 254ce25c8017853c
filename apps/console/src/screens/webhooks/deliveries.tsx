import type { DeliveryStatus } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { membersOf } from '../../parts/members-of.ts';
import { useList } from '../../parts/more.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { turnpike } from '../../session/session.ts';
import { DeliveryTable } from './delivery-table.tsx';

const STATUSES = membersOf<DeliveryStatus>({ pending: true, failed: true, delivered: true, dead: true });
const EVERY_MS = 5_000;

/** Deliveries of the tenant, or of one endpoint. */
export function Deliveries(): ReactElement {
  const [status, setStatus] = useQueryParameter('status');
  const [endpoint, setEndpoint] = useQueryParameter('endpoint');
  const chosen = STATUSES.filter((each) => each === status);
  const query = { limit: 50, ...(chosen.length === 0 ? {} : { status: chosen }) };
  const list = useList(
    ['deliveries', status, endpoint],
    (signal) =>
      endpoint === ''
        ? turnpike.deliveries.list(query, { signal })
        : turnpike.webhookEndpoints.deliveries(endpoint, query, { signal }),
    EVERY_MS,
  );
  return (
    <>
      <div className="filters">
        <div role="group" aria-label="Statuses of deliveries" className="chips">
          {STATUSES.map((each) => (
            <button
              key={each}
              type="button"
              className="chip"
              aria-pressed={each === status}
              onClick={() => setStatus(each === status ? '' : each)}
            >
              {each}
            </button>
          ))}
        </div>
        {endpoint !== '' && (
          <Button kind="quiet" onClick={() => setEndpoint('')}>
            Only of {endpoint} ✕
          </Button>
        )}
      </div>
      <DeliveryTable list={list} />
    </>
  );
}
