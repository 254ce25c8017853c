import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { turnpike } from '../../session/session.ts';

/** Submits a turn to a session. Ctrl+Enter sends. */
export function Composer({ sessionId, isBusy }: { sessionId: string; isBusy: boolean }): ReactElement {
  const [text, setText] = useState('');
  const queries = useQueryClient();
  const submit = useMutation({
    mutationFn: (input: string) => turnpike.turns.submit({ session_id: sessionId, input }),
    onSuccess: async () => {
      setText('');
      await queries.invalidateQueries({ queryKey: ['newest', sessionId] });
      await queries.invalidateQueries({ queryKey: ['messages', sessionId] });
    },
  });
  const send = (): void => {
    if (text.trim() !== '' && !submit.isPending) submit.mutate(text);
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label htmlFor="message" className="unseen">
        Message
      </label>
      <textarea
        id="message"
        rows={3}
        placeholder="Message (Ctrl+Enter sends)"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
        }}
      />
      <div className="actions">
        <Button kind="primary" type="submit" isBusy={submit.isPending} disabled={text.trim() === ''}>
          Send
        </Button>
        {isBusy && <span className="muted">A turn is open: this one waits for its end.</span>}
      </div>
      <ProblemNote error={submit.error} />
    </form>
  );
}
