import type { ReactElement } from 'react';
import { useWaiting } from '../screens/inbox/use-waiting.ts';

/** How many turns wait for a person. */
export function InboxCount(): ReactElement | null {
  const { data } = useWaiting();
  const count = data?.items.length ?? 0;
  if (count === 0) return null;
  const shown = data?.next_cursor == null ? String(count) : `${String(count)}+`;
  return (
    <span className="count">
      {shown}
      <span className="unseen"> waiting</span>
    </span>
  );
}
