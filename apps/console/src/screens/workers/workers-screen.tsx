import type { ReactElement } from 'react';
import { Heading } from '../../parts/heading.tsx';
import { Pools } from './pools.tsx';
import { WorkerList } from './worker-list.tsx';

export default function WorkersScreen(): ReactElement {
  return (
    <>
      <Heading title="Workers" />
      <Pools />
      <h2>Live workers</h2>
      <WorkerList />
    </>
  );
}
