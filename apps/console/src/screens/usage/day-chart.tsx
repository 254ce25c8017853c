import type { UsageReport } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { count, dollars } from '../../parts/figures.ts';

const HEIGHT = 100;

/** What each day cost, as bars. The same as a table, for those who do not see them. */
export function DayChart(props: { from: string; to: string; items: UsageReport['items'] }): ReactElement {
  const days = daysBetween(props.from, props.to).map((day) => ({
    day,
    item: props.items.find((each) => each.day === day),
  }));
  const most = Math.max(1, ...days.map(({ item }) => item?.cost_micros ?? 0));
  const width = 100 / days.length;
  return (
    <figure className="chart">
      <figcaption>Cost per day (UTC), at most {dollars(most === 1 ? 0 : most)}</figcaption>
      <svg viewBox={`0 0 100 ${String(HEIGHT)}`} preserveAspectRatio="none" aria-hidden="true">
        {days.map(({ day, item }, index) => {
          const height = ((item?.cost_micros ?? 0) / most) * (HEIGHT - 2);
          return (
            <rect
              key={day}
              x={index * width + width * 0.1}
              width={width * 0.8}
              y={HEIGHT - height}
              height={height}
            >
              <title>{`${day}: ${dollars(item?.cost_micros ?? 0)}, ${count(item?.turns ?? 0)} turns`}</title>
            </rect>
          );
        })}
      </svg>
      <div className="axis">
        <span>{props.from}</span>
        <span>{props.to}</span>
      </div>
      <details>
        <summary>As a table</summary>
        <table>
          <thead>
            <tr>
              <th>Day</th>
              <th className="number">Turns</th>
              <th className="number">Cost</th>
            </tr>
          </thead>
          <tbody>
            {days
              .filter(({ item }) => item !== undefined)
              .map(({ day, item }) => (
                <tr key={day}>
                  <td>
                    <Link href={`/turns?day=${day}`}>{day}</Link>
                  </td>
                  <td className="number">{count(item?.turns ?? 0)}</td>
                  <td className="number">{dollars(item?.cost_micros ?? 0)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  const last = Date.parse(`${to.slice(0, 10)}T00:00:00Z`);
  for (
    let at = Date.parse(`${from.slice(0, 10)}T00:00:00Z`);
    at <= last && days.length < 400;
    at += 86_400_000
  )
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}
