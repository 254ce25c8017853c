import type { TurnFact } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Empty } from '../../parts/heading.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { When } from '../../parts/when.tsx';

/** The newest are what a person looks for, and drawing thousands is slow. */
const SHOWN = 300;

/** The stored events of a turn, as clients get them. */
export function EventList({ events }: { events: readonly TurnFact[] }): ReactElement {
  if (events.length === 0) return <Empty title="No events" />;
  return (
    <>
      {events.length > SHOWN && <p className="muted">The newest {SHOWN}.</p>}
      <ol className="events">
        {events.slice(-SHOWN).map((event) => (
          <li key={event.id}>
            <details>
              <summary>
                <span className="number">{event.sequence_number}</span> <code>{event.type}</code>{' '}
                <When at={event.created_at} />
              </summary>
              <JsonView value={event} />
            </details>
          </li>
        ))}
      </ol>
    </>
  );
}
