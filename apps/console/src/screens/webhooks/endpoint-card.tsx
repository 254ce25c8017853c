import type { WebhookEndpoint } from '@turnpike/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { ActButton } from '../../parts/act-button.tsx';
import { Button } from '../../parts/button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { ShownOnce } from '../../parts/shown-once.tsx';
import { Status } from '../../parts/status.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { RedeliverRange } from './redeliver-range.tsx';

export function EndpointCard({ endpoint }: { endpoint: WebhookEndpoint }): ReactElement {
  const mayWrite = useMay('webhooks:write');
  const [, setEndpoint] = useQueryParameter('endpoint');
  const queries = useQueryClient();
  const { id, enabled } = endpoint;
  const refresh = (): void => {
    for (const key of ['endpoints', 'deliveries']) void queries.invalidateQueries({ queryKey: [key] });
  };
  return (
    <article className="card" aria-label={`Endpoint ${endpoint.url}`}>
      <p className="title">
        <Status status={enabled ? 'enabled' : 'disabled'} /> <OutsideLine text={endpoint.url} most={120} />
      </p>
      <p className="muted">
        {endpoint.description !== '' && <OutsideLine text={`${endpoint.description} · `} />}
        {endpoint.events.join(', ')} · {id}
        {endpoint.format !== 'turnpike' && ` · format: ${endpoint.format}`}
        {endpoint.disabled_reason !== null && ` · disabled: ${endpoint.disabled_reason}`}
        {endpoint.failing_since !== null && (
          <>
            {' '}
            · failing since <When at={endpoint.failing_since} />
          </>
        )}
      </p>
      <div className="actions">
        <Button onClick={() => setEndpoint(id)}>Its deliveries</Button>
        {mayWrite && (
          <>
            <ActButton
              label="Ping"
              disabled={!enabled}
              act={() => turnpike.webhookEndpoints.ping(id)}
              onDone={refresh}
            />
            <ActButton
              label={enabled ? 'Disable' : 'Enable'}
              act={() => turnpike.webhookEndpoints.update(id, { enabled: !enabled })}
              onDone={refresh}
            />
            <RotateButton id={id} />
            <RedeliverRange id={id} onDone={refresh} />
            <ConfirmButton
              label="Delete endpoint"
              title="Delete this endpoint?"
              act={() => turnpike.webhookEndpoints.delete(id)}
              onDone={refresh}
            >
              <p>Deliveries that wait are not sent any more.</p>
            </ConfirmButton>
          </>
        )}
      </div>
    </article>
  );
}

function RotateButton({ id }: { id: string }): ReactElement {
  const [isOpen, setOpen] = useState(false);
  const work = useMutation({ mutationFn: () => turnpike.webhookEndpoints.rotate(id) });
  return (
    <>
      <Button
        onClick={() => {
          work.reset();
          setOpen(true);
        }}
      >
        Rotate secret
      </Button>
      {isOpen && (
        <Dialog title="Rotate the signing secret" onClose={() => setOpen(false)}>
          <p>For a day webhooks are signed with both secrets.</p>
          <ProblemNote error={work.error} />
          {work.data === undefined ? (
            <Button kind="primary" isBusy={work.isPending} onClick={() => work.mutate()}>
              Rotate
            </Button>
          ) : (
            <ShownOnce name="Signing secret" value={work.data.signing_secret} />
          )}
        </Dialog>
      )}
    </>
  );
}
