import { useChat, type Chat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { useState, type ReactNode } from 'react';
import { Composer } from './composer.tsx';
import { explain } from './connection/explain-error.ts';
import { loadMessages, stopTurns } from './connection/open-chat.ts';
import { isUnfinished, isWaiting, statusOfTurn } from './connection/turn-of-message.ts';
import { show, useKeptUp } from './connection/use-kept-up.ts';
import { MakeAgain } from './make-again.tsx';
import { MessageView } from './message-view.tsx';

const RELOAD_WITHIN_MS = 30_000;

export function ChatView({ chat }: { chat: Chat<UIMessage> }): ReactNode {
  // The message of a turn that waits is whole. What was decided on it while it is streamed again would be lost.
  const [resume] = useState(() => !isWaiting(chat.messages.at(-1)));
  const { messages, status, error, sendMessage, addToolApprovalResponse } = useChat({ chat, resume });
  useKeptUp(chat, { status, error });
  const [stopTrouble, setStopTrouble] = useState<string | null>(null);

  const explained = error === undefined ? null : explain(error);
  const last = messages.at(-1);
  const isAsking = isWaiting(last);
  const isRunning = status === 'submitted' || status === 'streaming' || explained?.isPassing === true;

  const stop = async (): Promise<void> => {
    setStopTrouble(null);
    try {
      await stopTurns(chat.id);
    } catch (refused) {
      setStopTrouble(refused instanceof Error ? `Not stopped: ${explain(refused).text}` : 'Not stopped.');
      return;
    }
    // A turn that waits has no stream that would say it.
    if (chat.status !== 'ready') return;
    const found = await loadMessages(chat.id, AbortSignal.timeout(RELOAD_WITHIN_MS)).catch(() => null);
    if (found !== null) await show(chat, found);
  };

  return (
    <>
      <div role="log" aria-label="Messages" aria-busy={isRunning}>
        <ol className="messages">
          {messages.map((message) => (
            <MessageView
              key={message.id}
              message={message}
              mayDecide={status === 'ready'}
              onDecision={(id, approved) => void addToolApprovalResponse({ id, approved })}
            />
          ))}
        </ol>
      </div>
      <p role="status">{explained?.isPassing === true ? explained.text : describe(status, last)}</p>
      {explained !== null && !explained.isPassing && explained.confirmation === null && (
        <p role="alert">{explained.text}</p>
      )}
      {stopTrouble !== null && <p role="alert">{stopTrouble}</p>}
      <MakeAgain chat={chat} isPossible={!isRunning && !isAsking && last !== undefined} error={error} />
      <Composer
        isRunning={isRunning || isAsking}
        onSend={(text) => void sendMessage({ text })}
        onStop={() => void stop()}
      />
    </>
  );
}

function describe(status: Chat<UIMessage>['status'], last: UIMessage | undefined): string {
  if (status === 'submitted') return 'Waiting for the answer.';
  if (status === 'streaming') return 'The answer is being written.';
  if (isWaiting(last)) return 'The answer waits for you.';
  if (last?.role !== 'assistant' || isUnfinished(last)) return '';
  switch (statusOfTurn(last) ?? '') {
    case 'completed':
      return 'The answer is complete.';
    case 'cancelled':
      return 'The answer was stopped.';
    case 'failed':
      return 'The answer failed.';
    default:
      return 'The answer ended before it was complete.';
  }
}
