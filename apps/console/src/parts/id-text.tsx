import { useState, type ReactElement } from 'react';

/** An id that a click copies. */
export function IdText({ id }: { id: string }): ReactElement {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(id);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button
      type="button"
      className="id"
      title={`Copy ${id}`}
      onClick={() => void copy().catch(() => undefined)}
    >
      {id}
      <span aria-live="polite">{isCopied ? ' copied' : ''}</span>
    </button>
  );
}

/** The end of an id, which tells those of a list apart. */
export function shortId(id: string): string {
  return id.replace(/_.{18}/, '_…');
}
