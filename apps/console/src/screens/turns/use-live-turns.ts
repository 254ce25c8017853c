import { isFinal, type Turn } from '@turnpike/client';
import { useList, type Listed } from '../../parts/more.tsx';
import { turnpike } from '../../session/session.ts';
import { queryOf } from './turn-filter.ts';

/** A page is read again this often: soon while something on it runs, else now and then. Milliseconds. */
const BUSY_MS = 2_000;
const CALM_MS = 8_000;

/** Turns, newest first. They are read again by themselves, the less often the more of them are shown. */
export function useLiveTurns(search: URLSearchParams): Listed<Turn> {
  const query = queryOf(search);
  return useList(
    ['turns', search.toString()],
    (signal) => turnpike.turns.list(query, { signal }),
    (pages) => {
      const isBusy = pages.some(({ items }) => items.some(({ status }) => !isFinal(status)));
      return (isBusy ? BUSY_MS : CALM_MS) * Math.max(1, pages.length);
    },
  );
}
