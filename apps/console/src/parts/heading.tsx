import type { ReactElement, ReactNode } from 'react';

/** The top of a screen: its name, and what can be done. */
export function Heading({ title, children }: { title: ReactNode; children?: ReactNode }): ReactElement {
  return (
    <div className="heading">
      <h1>{title}</h1>
      {children !== undefined && <div className="actions">{children}</div>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactElement {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
