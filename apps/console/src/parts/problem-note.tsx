import { TurnpikeApiError } from '@turnpike/client';
import type { ReactElement } from 'react';
import { adviceFor } from './advice.ts';

/** An error: what happened, its code, and what to do. */
export function ProblemNote({ error }: { error: unknown }): ReactElement | null {
  if (error === null || error === undefined) return null;
  if (!(error instanceof TurnpikeApiError)) {
    return (
      <div className="problem" role="alert">
        <p>{error instanceof Error ? error.message : 'Something failed.'}</p>
      </div>
    );
  }
  const advice = adviceFor(error.code);
  return (
    <div className="problem" role="alert">
      <p>{error.detail}</p>
      {error.errors.length > 0 && (
        <ul>
          {error.errors.slice(0, 20).map(({ path, message }) => (
            <li key={path + message}>
              <code>{path}</code> {message}
            </li>
          ))}
        </ul>
      )}
      {advice !== null && <p>{advice}</p>}
      <p className="muted">
        <code>{error.code}</code>
        {error.requestId !== null && <> · {error.requestId}</>}
      </p>
    </div>
  );
}
