import type { Chat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { useEffect, useState, type ReactNode } from 'react';
import { explain } from './connection/explain-error.ts';
import { loadMessages } from './connection/open-chat.ts';
import { show } from './connection/use-kept-up.ts';

interface Given {
  chat: Chat<UIMessage>;
  isPossible: boolean;
  error: Error | undefined;
}

/** Makes the last answer again. What its tools did may happen again then: the user is asked first. */
export function MakeAgain({ chat, isPossible, error }: Given): ReactNode {
  const [asked, setAsked] = useState<{ text: string; confirmation: string } | null>(null);

  useEffect(() => {
    if (error === undefined) return undefined;
    const { text, confirmation } = explain(error);
    if (confirmation === null) return undefined;
    setAsked({ text, confirmation });
    // The library has taken the answer away, and it is still there.
    const leaving = new AbortController();
    loadMessages(chat.id, leaving.signal).then(
      (messages) => (leaving.signal.aborted ? undefined : show(chat, messages)),
      () => undefined,
    );
    return () => leaving.abort();
  }, [chat, error]);

  const makeAgain = (body: object): void => {
    setAsked(null);
    chat.clearError();
    void chat.regenerate({ body });
  };
  if (!isPossible) return null;
  if (asked === null)
    return (
      <button type="button" className="quiet" onClick={() => makeAgain({})}>
        Make the answer again
      </button>
    );
  const { text, confirmation } = asked;
  return (
    <section className="question" aria-labelledby="again">
      <p id="again" role="alert">
        {text}
      </p>
      <button type="button" onClick={() => makeAgain({ confirmation })}>
        Make it again anyway
      </button>
      <button
        type="button"
        onClick={() => {
          setAsked(null);
          chat.clearError();
        }}
      >
        Keep the answer
      </button>
    </section>
  );
}
