import type { Chat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { useEffect, useRef } from 'react';
import { explain } from './explain-error.ts';
import { loadMessages } from './open-chat.ts';
import { isUnfinished } from './turn-of-message.ts';
import { untilWorthTrying } from './until-worth-trying.ts';

/** Takes a chat up again until it has what Turnpike has, whatever breaks in between. */
export function useKeptUp(
  chat: Chat<UIMessage>,
  { status, error }: Pick<Chat<UIMessage>, 'status' | 'error'>,
): void {
  const attempts = useRef(0);

  useEffect(() => {
    if (status === 'streaming') attempts.current = 0;
  }, [status]);

  useEffect(() => {
    if (error === undefined || !explain(error).isPassing) return undefined;
    const leaving = new AbortController();
    untilWorthTrying(attempts.current++, leaving.signal).then(
      () => takeUp(chat),
      () => undefined,
    );
    return () => leaving.abort();
  }, [chat, error]);

  // There was nothing to resume: the turn has ended meanwhile, and its message is loaded.
  const hasMissed = status === 'ready' && isUnfinished(chat.messages.at(-1));
  useEffect(() => {
    if (!hasMissed) return undefined;
    const leaving = new AbortController();
    loadMessages(chat.id, leaving.signal).then(
      // Where something began meanwhile, they are old.
      (messages) => (leaving.signal.aborted ? undefined : show(chat, messages)),
      () => undefined,
    );
    return () => leaving.abort();
  }, [chat, hasMissed]);
}

function takeUp(chat: Chat<UIMessage>): Promise<void> {
  // Whether the last message of the user arrived is not known. It is posted again: the same message is the same turn.
  if (chat.messages.at(-1)?.role === 'user') return chat.sendMessage();
  return chat.resumeStream();
}

/** Shows what was loaded, unless something was sent meanwhile. */
export function show(chat: Chat<UIMessage>, messages: UIMessage[]): Promise<void> {
  if (chat.status !== 'ready' && chat.status !== 'error') return Promise.resolve();
  chat.messages = messages;
  // The message of a turn that runs comes with its stream alone.
  return messages.at(-1)?.role === 'user' ? chat.resumeStream() : Promise.resolve();
}
