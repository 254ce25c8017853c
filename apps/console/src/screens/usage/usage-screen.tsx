import { useQuery } from '@tanstack/react-query';
import type { UsageReport } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { count, dollars, short, tokens } from '../../parts/figures.ts';
import { Facts } from '../../parts/facts.tsx';
import { Empty, Heading } from '../../parts/heading.tsx';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Table } from '../../parts/table.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { turnpike } from '../../session/session.ts';
import { Budgets } from './budgets.tsx';
import { DayChart } from './day-chart.tsx';

const GROUPS = ['model', 'agent'] as const;
const PERIODS = [7, 30, 90] as const;
const EVERY_MS = 30_000;

function useUsage(days: number, group: 'day' | 'agent' | 'model') {
  return useQuery({
    queryKey: ['usage', days, group],
    queryFn: ({ signal }) => turnpike.usage.get({ from: firstDay(days), group_by: [group] }, { signal }),
    refetchInterval: EVERY_MS,
  });
}

export default function UsageScreen(): ReactElement {
  const [asked, setDays] = useQueryParameter('days');
  const days = PERIODS.find((each) => String(each) === asked) ?? 30;
  const { data: report, error } = useUsage(days, 'day');
  return (
    <>
      <Heading title="Usage">
        <div role="group" aria-label="Period" className="chips">
          {PERIODS.map((each) => (
            <button
              key={each}
              type="button"
              className="chip"
              aria-pressed={each === days}
              onClick={() => setDays(String(each))}
            >
              {each} days
            </button>
          ))}
        </div>
      </Heading>
      <ProblemNote error={error} />
      {report === undefined && error === null && <Loading />}
      {report !== undefined && (
        <>
          <Facts
            facts={{
              Cost: dollars(report.total.cost_micros),
              Turns: count(report.total.turns),
              'Model calls': count(report.total.model_calls),
              Tokens: tokens(report.total.usage),
            }}
          />
          <DayChart from={report.from} to={report.to} items={report.items} />
        </>
      )}
      {GROUPS.map((group) => (
        <Grouped key={group} days={days} group={group} />
      ))}
      <h2>Budgets</h2>
      <Budgets />
    </>
  );
}

function Grouped({ days, group }: { days: number; group: 'agent' | 'model' }): ReactElement | null {
  const { data: report, error } = useUsage(days, group);
  if (report === undefined) return <ProblemNote error={error} />;
  return (
    <>
      <h2>By {group}</h2>
      {report.items.length === 0 ? (
        <Empty title="No model calls in this period" />
      ) : (
        <UsageTable group={group} report={report} />
      )}
    </>
  );
}

function UsageTable({ group, report }: { group: 'agent' | 'model'; report: UsageReport }): ReactElement {
  const items = report.items.toSorted((one, other) => other.cost_micros - one.cost_micros);
  return (
    <Table
      label={`Usage by ${group}`}
      head={
        <>
          <th>{group}</th>
          <th className="number">Turns</th>
          <th className="number">Model calls</th>
          <th className="number">Tokens</th>
          <th className="number">Cost</th>
        </>
      }
    >
      {items.slice(0, 100).map((item) => {
        const { agent_id: agent, model } = item;
        return (
          <tr key={agent ?? model}>
            <td>{agent === null ? model : <Link href={`/agents/${agent}`}>{agent}</Link>}</td>
            <td className="number">{short(item.turns)}</td>
            <td className="number">{short(item.model_calls)}</td>
            <td className="number">{tokens(item.usage)}</td>
            <td className="number">{dollars(item.cost_micros)}</td>
          </tr>
        );
      })}
    </Table>
  );
}

function firstDay(days: number): string {
  return new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
}
