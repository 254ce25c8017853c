import type { Message, Turn } from '@turnpike/client';
import { useQuery } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Blocks } from '../../parts/blocks.tsx';
import { turnpike } from '../../session/session.ts';

/** Pages of a session that are read for the input. The API has no shorter way; a later turn links to its session. */
const MOST_PAGES = 3;

/** What the user said. */
export function InputOf({ turn }: { turn: Turn }): ReactElement | null {
  const { data: input } = useQuery({
    queryKey: ['input', turn.id],
    queryFn: ({ signal }) => findInput(turn, signal),
    staleTime: Infinity,
  });
  if (input === undefined) return null;
  return (
    <section className="card" aria-label="Input">
      {input === null ? (
        <p className="muted">
          The input is in the <Link href={`/sessions/${turn.session_id}`}>session</Link>.
        </p>
      ) : (
        <Blocks content={input.content} />
      )}
    </section>
  );
}

async function findInput(turn: Turn, signal: AbortSignal): Promise<Message | null> {
  const pages = turnpike.sessions.messages(turn.session_id, { limit: 100 }, { signal });
  let cursor: string | undefined;
  for (let read = 0; read < MOST_PAGES; read += 1) {
    const { items, next_cursor: next } = await pages.page(cursor);
    const found = items.find((message) => message.turn_id === turn.id && message.role === 'user');
    if (found !== undefined) return found;
    if (next === null) return null;
    cursor = next;
  }
  return null;
}
