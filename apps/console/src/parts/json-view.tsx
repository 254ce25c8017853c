import { useMemo, type ReactElement } from 'react';
import { OutsideText } from './outside-text.tsx';

/** A value as JSON, bounded as other texts are. */
export function JsonView({ value }: { value: unknown }): ReactElement {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? 'null', [value]);
  return <OutsideText text={text} isCode />;
}
