import { useQuery } from '@tanstack/react-query';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 4_000;

/** Turns that wait for a person. */
export function useWaiting() {
  return useQuery({
    queryKey: ['waiting'],
    queryFn: ({ signal }) =>
      turnpike.turns.list({ status: 'requires_action', limit: 100 }, { signal }).page(),
    refetchInterval: EVERY_MS,
  });
}
