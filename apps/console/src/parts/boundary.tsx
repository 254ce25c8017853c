import { Component, type ReactNode } from 'react';
import { Button } from './button.tsx';

interface Props {
  /** What is shown in place of what failed. Default: that the screen failed. */
  fallback?: ReactNode;
  children: ReactNode;
}

/** Keeps a failure from taking more than its own part of the page. With another `key` it tries again. */
export class Boundary extends Component<Props, { failure: string | null }> {
  override state: { failure: string | null } = { failure: null };

  static getDerivedStateFromError(error: unknown): { failure: string } {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    const { children, fallback } = this.props;
    if (failure === null) return children;
    if (fallback !== undefined) return fallback;
    return (
      <div className="empty" role="alert">
        <h2>This screen failed</h2>
        <p>{failure}</p>
        <Button onClick={() => window.location.reload()}>Load it again</Button>
      </div>
    );
  }
}
