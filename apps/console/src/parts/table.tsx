import type { ReactElement, ReactNode } from 'react';

/** A table that scrolls by itself where it is wider than the page, by keys too. `head` is its headings, `children` its rows. */
export function Table(props: { label: string; head: ReactNode; children: ReactNode }): ReactElement {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={props.label}>
      <table>
        <thead>
          <tr>{props.head}</tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}
