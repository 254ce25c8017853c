import { TurnpikeApiError } from '@turnpike/client';
import { useIsFetching, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, type ReactElement } from 'react';

const REPEAT_MS = 2_000;

/** Says that the API is away, and reads all of the screen again once it is back. */
export function Away(): ReactElement | null {
  const queries = useQueryClient();
  const fetching = useIsFetching();
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    const failed = queries.getQueryCache().findAll({ type: 'active' });
    setAway(failed.some(({ state }) => isAwayBy(state.error)));
  }, [fetching, queries]);
  useEffect(() => {
    if (!isAway) return undefined;
    const timer = setInterval(() => {
      const hasFailed = ({ state }: { state: { error: Error | null } }): boolean => state.error !== null;
      void queries.refetchQueries({ type: 'active', predicate: hasFailed });
    }, REPEAT_MS);
    return () => clearInterval(timer);
  }, [isAway, queries]);
  if (!isAway) return null;
  return (
    <p className="away" role="status">
      The API does not respond. What you see may be old; this screen goes on by itself.
    </p>
  );
}

/** No response, or one of a proxy that has none. */
function isAwayBy(error: Error | null): boolean {
  return error instanceof TurnpikeApiError ? [502, 503, 504].includes(error.status) : error !== null;
}
