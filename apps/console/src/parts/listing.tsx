import type { ReactElement, ReactNode } from 'react';
import { Loading } from './loading.tsx';
import { More, type Listed } from './more.tsx';
import { ProblemNote } from './problem-note.tsx';

interface Props {
  list: Listed<unknown>;
  /** In place of the items where there are none. */
  empty: ReactElement;
  /** The items. */
  children: ReactNode;
}

/** What is around the items of a list: its failure, that it is read, that it is empty, and that it has more. */
export function Listing({ list, empty, children }: Props): ReactElement {
  return (
    <>
      <ProblemNote error={list.error} />
      {list.isPending && <Loading />}
      {list.data !== undefined && list.items.length === 0 && empty}
      {list.items.length > 0 && children}
      <More list={list} />
    </>
  );
}
