import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { ActButton } from '../../parts/act-button.tsx';
import { Facts } from '../../parts/facts.tsx';
import { duration } from '../../parts/figures.ts';
import { Heading } from '../../parts/heading.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { Loading } from '../../parts/loading.tsx';
import { OutsideLine, OutsideText } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 3_000;

export default function DeliveryScreen({ id }: { id: string }): ReactElement {
  const mayWrite = useMay('webhooks:write');
  const queries = useQueryClient();
  const { data: delivery, error } = useQuery({
    queryKey: ['delivery', id],
    queryFn: ({ signal }) => turnpike.deliveries.get(id, { signal }),
    // It may change while it is not delivered.
    refetchInterval: ({ state }) => (state.data?.status === 'delivered' ? false : EVERY_MS),
  });
  if (delivery === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  return (
    <>
      <Heading
        title={
          <>
            Delivery <Status status={delivery.status} />
          </>
        }
      >
        {mayWrite && (
          <ActButton
            label="Redeliver"
            act={() => turnpike.deliveries.redeliver(id)}
            onDone={() => void queries.invalidateQueries({ queryKey: ['delivery', id] })}
          />
        )}
      </Heading>
      <Facts
        facts={{
          Id: <IdText id={id} />,
          Event: (
            <>
              <code>{delivery.type}</code> <IdText id={delivery.event_id} />
            </>
          ),
          Receiver: <OutsideLine text={delivery.url} />,
          Turn:
            delivery.turn_id === null ? null : (
              <Link href={`/turns/${delivery.turn_id}`}>{delivery.turn_id}</Link>
            ),
          Created: <When at={delivery.created_at} />,
          Delivered: delivery.delivered_at === null ? null : <When at={delivery.delivered_at} />,
          'Next attempt': delivery.next_attempt_at === null ? null : <When at={delivery.next_attempt_at} />,
        }}
      />
      <h2>Attempts</h2>
      <ol className="attempts">
        {delivery.attempt_log.map((attempt) => (
          <li key={attempt.number} className="card">
            <p>
              <Status
                status={
                  attempt.error_code === null && (attempt.response_status ?? 500) < 300
                    ? 'delivered'
                    : 'failed'
                }
              />{' '}
              {attempt.response_status ?? 'no response'}{' '}
              {attempt.error_code !== null && <code>{attempt.error_code}</code>} ·{' '}
              {duration(attempt.duration_ms)} · <When at={attempt.started_at} />
            </p>
            {attempt.response_body !== null && <OutsideText text={attempt.response_body} isCode />}
          </li>
        ))}
      </ol>
    </>
  );
}
