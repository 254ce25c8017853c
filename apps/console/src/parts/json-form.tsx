import { useMutation } from '@tanstack/react-query';
import { useId, useState, type ReactElement } from 'react';
import { Button } from './button.tsx';
import { ProblemNote } from './problem-note.tsx';

/** Edits a value as JSON. What it may hold, the API says. */
export function JsonForm<Saved>(props: {
  label: string;
  value: Readonly<Record<string, unknown>>;
  submit: string;
  save(value: Record<string, unknown>): Promise<Saved>;
  onSaved(saved: Saved): void;
}): ReactElement {
  const id = useId();
  const [text, setText] = useState(() => JSON.stringify(props.value, null, 2));
  const work = useMutation({
    mutationFn: () => props.save(parse(text)),
    onSuccess: props.onSaved,
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        work.mutate();
      }}
    >
      <label htmlFor={id}>{props.label}</label>
      <textarea
        id={id}
        className="code"
        rows={18}
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <ProblemNote error={work.error} />
      <div className="actions">
        <Button kind="primary" type="submit" isBusy={work.isPending}>
          {props.submit}
        </Button>
      </div>
    </form>
  );
}

function parse(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('Write a JSON object.');
  return Object.fromEntries(Object.entries(value));
}
