import { Component, type ReactNode } from 'react';
import { Button } from '../parts/button.tsx';

/** Shows that a screen failed, in place of an empty page. */
export class Boundary extends Component<{ children: ReactNode }, { failure: string | null }> {
  override state: { failure: string | null } = { failure: null };

  static getDerivedStateFromError(error: unknown): { failure: string } {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    return (
      <div className="empty" role="alert">
        <h2>This screen failed</h2>
        <p>{failure}</p>
        <Button onClick={() => window.location.reload()}>Load it again</Button>
      </div>
    );
  }
}
