import { useEffect, useRef, useState, type FormEvent, type ReactElement } from 'react';
import { useLocation } from 'wouter';
import { screenOfId } from './screen-of-id.ts';

/** Opens what an id names. `/` goes to it from anywhere. */
export function Find(): ReactElement {
  const [, navigate] = useLocation();
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { target } = event;
      const isTyping =
        target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null;
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const found = screenOfId(text.trim());
    if ('problem' in found) return setProblem(found.problem);
    setProblem(null);
    setText('');
    navigate(found.path);
  };
  return (
    <form role="search" className="find" onSubmit={submit}>
      <label className="unseen" htmlFor="find">
        Find by id
      </label>
      <input
        id="find"
        ref={input}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setProblem(null);
        }}
        placeholder="Find by id  ( / )"
        autoComplete="off"
        spellCheck={false}
        aria-invalid={problem !== null}
        aria-describedby={problem === null ? undefined : 'find-problem'}
      />
      {problem !== null && (
        <p id="find-problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
