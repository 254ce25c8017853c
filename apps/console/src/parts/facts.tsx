import type { ReactElement, ReactNode } from 'react';

/** Names and values, side by side. A value that is null is left out. */
export function Facts({ facts }: { facts: Readonly<Record<string, ReactNode>> }): ReactElement {
  return (
    <dl className="facts">
      {Object.entries(facts)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
