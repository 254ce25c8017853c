import type { OperatorTenant } from '@turnpike/client';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { count } from '../../parts/figures.ts';
import { Empty, Heading } from '../../parts/heading.tsx';
import { shortId } from '../../parts/id-text.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { PauseButton } from '../../parts/pause-button.tsx';
import { Status } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { TextFilter } from '../../parts/text-filter.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { WaitingTurns } from '../../parts/waiting-turns.tsx';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 10_000;

export default function TenantsScreen(): ReactElement {
  const [search] = useQueryParameter('search');
  const [paused, setPaused] = useQueryParameter('paused');
  const list = useList(
    ['tenants', search, paused],
    (signal) =>
      turnpike.operator.tenants(
        {
          limit: 50,
          ...(search === '' ? {} : { search }),
          ...(paused === '' ? {} : { paused: true as const }),
        },
        { signal },
      ),
    EVERY_MS,
  );
  return (
    <>
      <Heading title="Tenants" />
      <div className="filters">
        <TextFilter name="search" label="Name or id" />
        <label className="check">
          <input
            type="checkbox"
            checked={paused !== ''}
            onChange={(event) => setPaused(event.target.checked ? 'true' : '')}
          />
          Only paused
        </label>
      </div>
      <Listing list={list} empty={<Empty title="No such tenants" />}>
        <Table
          label="Tenants"
          head={
            <>
              <th>Status</th>
              <th>Tenant</th>
              <th>Running</th>
              <th>In the queue</th>
              <th>Waiting</th>
              <th>Weight</th>
              <th>Actions</th>
            </>
          }
        >
          {list.items.map((tenant) => (
            <TenantRow key={tenant.id} tenant={tenant} />
          ))}
        </Table>
      </Listing>
    </>
  );
}

function TenantRow({ tenant }: { tenant: OperatorTenant }): ReactElement {
  const queries = useQueryClient();
  const { id, name, paused_at: pausedAt } = tenant;
  return (
    <tr>
      <td>
        <Status status={pausedAt === null ? 'active' : 'paused'} />
      </td>
      <td>
        <OutsideLine text={name} most={60} />
        <br />
        <span className="muted">{id}</span>
      </td>
      <td>
        {count(tenant.running_turns)} of {count(tenant.max_running_turns)}
      </td>
      <td>{count(tenant.dispatched_turns)}</td>
      <td>
        <WaitingTurns counts={tenant} />
      </td>
      <td>{tenant.weight}</td>
      <td>
        <PauseButton
          what={`tenant ${shortId(id)}`}
          isPaused={pausedAt !== null}
          pause={() => turnpike.operator.pauseTenant(id)}
          resume={() => turnpike.operator.resumeTenant(id)}
          onDone={() => void queries.invalidateQueries({ queryKey: ['tenants'] })}
        />
      </td>
    </tr>
  );
}
