import type { Turn } from '@turnpike/client';
import type { ReactElement } from 'react';
import { When } from '../../parts/when.tsx';
import { WaitingCallCard } from './waiting-call-card.tsx';

/** What a turn waits for, to be answered here. */
export function RequiredActions({ turn }: { turn: Turn }): ReactElement | null {
  const { required_action: action } = turn;
  if (action === null) return null;
  return (
    <section aria-label={`What ${turn.id} waits for`}>
      <p className="muted">
        Denied by itself <When at={action.expires_at} />
      </p>
      {action.tool_calls.map((call) => (
        <WaitingCallCard key={call.id} turnId={turn.id} call={call} />
      ))}
    </section>
  );
}
