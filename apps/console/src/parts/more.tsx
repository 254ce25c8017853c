import {
  keepPreviousData,
  useInfiniteQuery,
  type InfiniteData,
  type UseInfiniteQueryResult,
} from '@tanstack/react-query';
import type { Page, Pages } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Button } from './button.tsx';

export type Listed<Item> = UseInfiniteQueryResult<InfiniteData<Page<Item>>> & { items: Item[] };

/**
 * A list, page by page. `everyMs`: how often all pages that were read are read again while they are looked at;
 * default: only after a change.
 */
export function useList<Item>(
  key: readonly unknown[],
  pages: (signal: AbortSignal) => Pages<Item>,
  everyMs?: number | ((read: readonly Page<Item>[]) => number),
): Listed<Item> {
  const found = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => pages(signal).page(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // With another filter, what was shown stays until the answer is there.
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      typeof everyMs === 'function' ? everyMs(state.data?.pages ?? []) : (everyMs ?? false),
  });
  return Object.assign(found, { items: found.data?.pages.flatMap(({ items }) => items) ?? [] });
}

/** The button at the end of a list that has more. */
export function More({
  list,
  label = 'Show more',
}: {
  list: Listed<unknown>;
  label?: string;
}): ReactElement | null {
  if (!list.hasNextPage) return null;
  return (
    <div className="more">
      <Button isBusy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
        {label}
      </Button>
    </div>
  );
}
