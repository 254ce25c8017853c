import type { Turn } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { OutsideText } from '../../parts/outside-text.tsx';
import { Status } from '../../parts/status.tsx';
import { When } from '../../parts/when.tsx';

/** Why a turn failed, and what it waits for or belongs to. */
export function TurnNotes({ turn }: { turn: Turn }): ReactElement {
  const { error, waiting_for: waiting, awaited_child_turns: children } = turn;
  const relatives = [
    { name: 'Called by', id: turn.parent_turn_id },
    { name: 'Continues', id: turn.resumes },
    { name: 'Copy of', id: turn.copied_from },
  ];
  return (
    <>
      {error !== null && (
        <div className="problem" role="note">
          <p>
            <code>{error.code}</code> · {error.retry_status}
            {error.attempts !== undefined && ` · ${String(error.attempts)} attempts`}
          </p>
          <OutsideText text={error.message} />
        </div>
      )}
      {waiting !== null && (
        <div className="note" role="note">
          <p>
            No live worker of the pool <code>{waiting.pool}</code> has what it needs
            {waiting.tools.length > 0 && `: ${waiting.tools.join(', ')}`}. It runs by itself once one starts.
            Since <When at={waiting.since} />.
          </p>
        </div>
      )}
      {children !== null && children.length > 0 && (
        <div className="note" role="note">
          <p>Waits for child turns:</p>
          <ul>
            {children.map((child) => (
              <li key={child.id}>
                <Status status={child.status} /> <Link href={`/turns/${child.id}`}>{child.id}</Link>
              </li>
            ))}
          </ul>
        </div>
      )}
      {relatives.map(({ name, id }) =>
        id === null ? null : (
          <p key={name} className="muted">
            {name} <Link href={`/turns/${id}`}>{id}</Link>
          </p>
        ),
      )}
      {turn.batch_id !== null && (
        <p className="muted">
          Of the batch <Link href={`/batches?id=${turn.batch_id}`}>{turn.batch_id}</Link>
        </p>
      )}
    </>
  );
}
