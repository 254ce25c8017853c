import { useEffect, useRef, type ReactElement } from 'react';
import { useQueryParameter } from './use-query-parameter.ts';

/** A filter that is typed, and taken with Enter or when it is left. It is kept in the URL. */
export function TextFilter(props: { name: string; label: string; type?: string }): ReactElement {
  const [value, setValue] = useQueryParameter(props.name);
  const input = useRef<HTMLInputElement>(null);
  // The URL may change by itself: a saved view, or a step back.
  useEffect(() => {
    if (input.current !== null) input.current.value = value;
  }, [value]);
  return (
    <input
      ref={input}
      type={props.type ?? 'text'}
      aria-label={props.label}
      placeholder={props.label}
      defaultValue={value}
      spellCheck={false}
      onBlur={(event) => setValue(event.target.value.trim())}
      onKeyDown={(event) => {
        if (event.key === 'Enter') setValue(event.currentTarget.value.trim());
      }}
    />
  );
}
