import { isFinal, TextSoFar, type Turn, type TurnEvent, type TurnFact } from '@turnpike/client';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { turnpike } from '../../session/session.ts';

/** Events that are held. A turn may have more; the API has all of them. */
const MOST_EVENTS = 2_000;
/** The screen changes this often at most, however fast events come. Milliseconds. */
const DRAW_MS = 80;
/** The turn and its steps are read again this often at most. Milliseconds. */
const READ_MS = 1_000;

export interface Followed {
  /** Stored events, in order. */
  events: readonly TurnFact[];
  /** The text of the current step while it is written. */
  text: string;
  /** The newest progress of a tool call, by its id. */
  progress: ReadonlyMap<string, string | number>;
}

const NOTHING: Followed = { events: [], text: '', progress: new Map() };

export function useTurn(id: string) {
  return useQuery({ queryKey: ['turn', id], queryFn: ({ signal }) => turnpike.turns.get(id, { signal }) });
}

/** Follows the events of a turn, and reads the turn and its steps again when one of them says that they changed. */
export function useTurnEvents(id: string): Followed {
  const [followed, setFollowed] = useState(NOTHING);
  const queries = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    const known = (): Turn | undefined => queries.getQueryData<Turn>(['turn', id]);
    const reader = new EventReader();
    const draw = atMostEvery(DRAW_MS, signal, () => setFollowed(reader.followed));
    let mayChange = isOpen(known());
    const readAgain: () => void = atMostEvery(READ_MS, signal, () => {
      const turn = known();
      if (turn === undefined) return readAgain();
      // Of a turn that had ended when it was first read, the events tell nothing new.
      mayChange ||= isOpen(turn);
      if (!mayChange) return;
      void queries.invalidateQueries({ queryKey: ['turn', id] });
      void queries.invalidateQueries({ queryKey: ['steps', id] });
    });
    setFollowed(NOTHING);
    void follow(id, signal, (event) => {
      if (reader.take(event)) readAgain();
      draw();
    });
    return () => stop.abort();
  }, [id, queries]);
  return followed;
}

/** Ends with the turn, or where the API refuses. Connections that fail are the client's to repeat. */
async function follow(id: string, signal: AbortSignal, take: (event: TurnEvent) => void): Promise<void> {
  try {
    for await (const event of turnpike.turns.stream(id, { signal, maxFailures: Infinity })) take(event);
  } catch {
    // What the screen reads besides shows why.
  }
}

/** Calls `act` this long after a call, once for all calls until then, and not after the signal. */
function atMostEvery(ms: number, signal: AbortSignal, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!signal.aborted) act();
    }, ms);
  };
}

function isOpen(turn: Turn | undefined): boolean {
  return turn !== undefined && !isFinal(turn.status);
}

/** What the events of a turn say so far. */
class EventReader {
  readonly #soFar = new TextSoFar();
  readonly #progress = new Map<string, string | number>();
  #events: TurnFact[] = [];

  get followed(): Followed {
    return { events: this.#events, text: this.#soFar.text, progress: new Map(this.#progress) };
  }

  /** True for a stored event: the turn may be another since. */
  take(event: TurnEvent): boolean {
    this.#soFar.take(event);
    if (event.type === 'message.delta') return false;
    if (event.type === 'tool.progress') {
      this.#progress.set(event.tool_call_id, event.progress);
      return false;
    }
    this.#events = [...this.#events, event].slice(-MOST_EVENTS);
    return true;
  }
}
