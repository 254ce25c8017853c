import { isFinal, type Message, type Turn } from '@turnpike/client';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, type ReactElement } from 'react';
import { Link } from 'wouter';
import { Blocks } from '../../parts/blocks.tsx';
import { More, useList } from '../../parts/more.tsx';
import { OutsideText } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { RequiredActions } from '../inbox/required-actions.tsx';
import { useTurn, useTurnEvents } from '../turn/use-turn.ts';
import { ForkButton } from './fork-button.tsx';

/** The messages of a session, and below them what its newest turn does now. */
export function Conversation({
  sessionId,
  newest,
}: {
  sessionId: string;
  newest: Turn | undefined;
}): ReactElement {
  const list = useList(['messages', sessionId], (signal) =>
    turnpike.sessions.messages(sessionId, { limit: 50, order: 'desc' }, { signal }),
  );
  const isOpen = newest !== undefined && !isFinal(newest.status);
  return (
    <section aria-label="Conversation" className="conversation">
      <ProblemNote error={list.error} />
      <More list={list} label="Show earlier messages" />
      {list.items.toReversed().map((message) => (
        <MessageView key={message.id} message={message} />
      ))}
      {isOpen && <LiveTurn key={newest.id} turnId={newest.id} sessionId={sessionId} />}
    </section>
  );
}

function MessageView({ message }: { message: Message }): ReactElement {
  const mayWrite = useMay('turns:write');
  const isOfTool = message.role === 'user' && message.content.every(({ type }) => type === 'tool_result');
  const who = isOfTool ? 'tools' : message.role;
  return (
    <article className={`message ${who}`} aria-label={`Message of ${who}`}>
      <header>
        <strong>{who}</strong> <When at={message.created_at} />
        {message.partial && <span className="badge">stopped while it was written</span>}
        {message.hidden_reason !== null && (
          <span className="badge">
            the model does not see it: {message.hidden_reason.replaceAll('_', ' ')}
          </span>
        )}
        <span className="message-acts">
          <Link href={`/turns/${message.turn_id}`}>turn</Link>
          {mayWrite && (
            <ForkButton
              sessionId={message.session_id}
              at={{ after_message_id: message.id }}
              label="Fork here"
              kind="quiet"
            />
          )}
        </span>
      </header>
      <Blocks content={message.content} />
    </article>
  );
}

function LiveTurn({ turnId, sessionId }: { turnId: string; sessionId: string }): ReactElement | null {
  const { data: turn } = useTurn(turnId);
  const followed = useTurnEvents(turnId);
  const queries = useQueryClient();
  const steps = followed.events.filter(
    ({ type }) => type === 'step.completed' || type.startsWith('turn.'),
  ).length;
  // Its messages are committed with its steps.
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ['messages', sessionId] });
    void queries.invalidateQueries({ queryKey: ['newest', sessionId] });
  }, [steps, sessionId, queries]);
  if (turn === undefined) return null;
  const isWritten = followed.events.at(-1)?.type === 'step.completed';
  return (
    <article className="message assistant live" aria-label="The turn that is open">
      <header>
        <Status status={turn.status} /> <Link href={`/turns/${turnId}`}>{turnId}</Link>
      </header>
      {!isWritten && followed.text !== '' && <OutsideText text={followed.text} />}
      <RequiredActions turn={turn} />
    </article>
  );
}
