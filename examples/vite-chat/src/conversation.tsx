import type { Chat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { useEffect, useState, type ReactNode } from 'react';
import { ChatView } from './chat-view.tsx';
import { explain } from './connection/explain-error.ts';
import { loadMessages, openChat } from './connection/open-chat.ts';

/** A chat, once what was said in it is loaded. */
export function Conversation({ id }: { id: string }): ReactNode {
  const [chat, setChat] = useState<Chat<UIMessage> | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    const leaving = new AbortController();
    const load = async (): Promise<void> => {
      const messages = await loadMessages(id, leaving.signal, (error) => setTrouble(explain(error).text));
      if (!leaving.signal.aborted) setChat(openChat(id, messages));
    };
    load().catch(() => undefined);
    return () => leaving.abort();
  }, [id]);
  return (
    <>
      <header>
        <h1>Chat</h1>
        <a href="/">New chat</a>
      </header>
      <main>
        {chat === null ? (
          <p role="status">{trouble ?? 'Loading the conversation.'}</p>
        ) : (
          <ChatView chat={chat} />
        )}
      </main>
    </>
  );
}
