import { useQuery } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { count } from '../../parts/figures.ts';
import { Facts } from '../../parts/facts.tsx';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { turnpike } from '../../session/session.ts';

/** What the operator lets the tenant use. */
export function Limits(): ReactElement {
  const { data, error } = useQuery({
    queryKey: ['limits'],
    queryFn: ({ signal }) => turnpike.limits.get({ signal }),
  });
  if (data === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  const facts = Object.entries(data)
    .filter(([name]) => name !== 'object')
    .map(([name, value]) => [
      name.replaceAll('_', ' '),
      typeof value === 'number' ? count(value) : (value ?? 'none'),
    ]);
  return <Facts facts={Object.fromEntries(facts)} />;
}
