import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Empty } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { EndpointCard } from './endpoint-card.tsx';
import { NewEndpoint } from './new-endpoint.tsx';

const EVERY_MS = 15_000;

export function Endpoints(): ReactElement {
  const mayWrite = useMay('webhooks:write');
  const [isNew, setNew] = useState(false);
  const list = useList(
    ['endpoints'],
    (signal) => turnpike.webhookEndpoints.list({ limit: 100 }, { signal }),
    EVERY_MS,
  );
  return (
    <>
      {mayWrite && (
        <div className="actions">
          <Button onClick={() => setNew(true)}>New endpoint</Button>
        </div>
      )}
      {isNew && (
        <Dialog title="New endpoint" onClose={() => setNew(false)}>
          <NewEndpoint />
        </Dialog>
      )}
      <Listing list={list} empty={<Empty title="No endpoints yet" />}>
        {list.items.map((endpoint) => (
          <EndpointCard key={endpoint.id} endpoint={endpoint} />
        ))}
      </Listing>
    </>
  );
}
