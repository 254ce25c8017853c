import { ProblemError } from '@turnpike/contract';
import type { SessionFact, UseCases } from '@turnpike/dialect-base';
import { NOTHING, TurnContexts } from './turn-context.ts';
import { TurnEvents, type SessionEvent } from './turn-events.ts';

/** Where an event stands in its session: in which turn, after which fact, and which of that fact's events it is. */
export interface Place {
  turnSequence: number;
  sequenceNumber: number;
  index: number;
}

export interface PlacedEvent {
  event: SessionEvent;
  place: Place;
  turnId: string;
}

const PAGE = 100;
/** Turns and facts that one request looks at, at most: a list that is filtered goes on in its next page. */
const MOST_FACTS = 20_000;

function isAfter(one: Place, other: Place): boolean {
  if (one.turnSequence !== other.turnSequence) return one.turnSequence > other.turnSequence;
  if (one.sequenceNumber !== other.sequenceNumber) return one.sequenceNumber > other.sequenceNumber;
  return one.index > other.index;
}

export function encodePlace({ turnSequence, sequenceNumber, index }: Place): string {
  return Buffer.from(`${turnSequence}.${sequenceNumber}.${index}`).toString('base64url');
}

/** Throws `invalid_cursor` for anything that `encodePlace` did not return. */
export function decodePlace(token: string): Place {
  const text = Buffer.from(token, 'base64url').toString();
  const [, turn, fact, index] = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,3})$/.exec(text) ?? [];
  if (turn === undefined)
    throw new ProblemError('invalid_cursor', 'The page is not from a list of this kind.');
  return { turnSequence: Number(turn), sequenceNumber: Number(fact), index: Number(index) };
}

/** The events of a session, of its stored facts. */
export class EventWalk {
  readonly #useCases: UseCases;
  readonly #sessionId: string;
  readonly #contexts: TurnContexts;
  #read = 0;

  constructor(useCases: UseCases, sessionId: string) {
    this.#useCases = useCases;
    this.#sessionId = sessionId;
    this.#contexts = new TurnContexts(useCases);
  }

  /** It has looked at as much as a request may. */
  get isExhausted(): boolean {
    return this.#read >= MOST_FACTS;
  }

  /** Oldest first, those after a place. The events of a turn are made from its first fact on. */
  async *forwards(after: Place | null): AsyncGenerator<PlacedEvent> {
    let from = { turnSequence: after?.turnSequence ?? 0, sequenceNumber: 0 };
    let turn = { id: '', events: new TurnEvents(NOTHING) };
    for (;;) {
      const page = await this.#facts(from);
      await this.#contexts.read(page.map(({ fact }) => fact));
      for (const each of page) {
        const { fact, turnSequence } = each;
        if (turn.id !== fact.turn_id) {
          this.#contexts.drop(turn.id);
          turn = { id: fact.turn_id, events: new TurnEvents(this.#contexts.of(fact.turn_id)) };
        }
        for (const placed of placedEvents(each, turn.events))
          if (after === null || isAfter(placed.place, after)) yield placed;
        // Those before the place are read again, which is no progress.
        if (after === null || isAfter({ ...from, turnSequence, index: 0 }, after)) this.#read += 1;
        from = { turnSequence, sequenceNumber: fact.sequence_number };
      }
      if (page.length < PAGE || this.isExhausted) return;
    }
  }

  /** Newest first, those before a place. */
  async *backwards(before: Place | null): AsyncGenerator<PlacedEvent> {
    const newest = before ?? (await this.#useCases.sessions.place(this.#sessionId));
    for (let sequence = newest?.turnSequence ?? 0; sequence > 0 && !this.isExhausted; sequence--) {
      const events = await this.#ofTurn(sequence);
      for (const placed of events.toReversed())
        if (before === null || isAfter(before, placed.place)) yield placed;
    }
  }

  async #ofTurn(sequence: number): Promise<PlacedEvent[]> {
    const found: PlacedEvent[] = [];
    let events: TurnEvents | null = null;
    this.#read += 1;
    for (let sequenceNumber = 0; ;) {
      const page = await this.#facts({ turnSequence: sequence, sequenceNumber });
      // A page runs on into later turns.
      const own = page.filter(({ turnSequence }) => turnSequence === sequence);
      await this.#contexts.read(own.map(({ fact }) => fact));
      for (const each of own) {
        events ??= new TurnEvents(this.#contexts.of(each.fact.turn_id));
        found.push(...placedEvents(each, events));
        this.#read += 1;
        sequenceNumber = each.fact.sequence_number;
      }
      if (own.length < PAGE) {
        this.#contexts.clear();
        return found;
      }
    }
  }

  #facts(after: { turnSequence: number; sequenceNumber: number }): Promise<SessionFact[]> {
    return this.#useCases.sessions.facts(this.#sessionId, { after, limit: PAGE });
  }
}

function placedEvents({ fact, turnSequence }: SessionFact, events: TurnEvents): PlacedEvent[] {
  const { sequence_number: sequenceNumber, turn_id: turnId } = fact;
  return events.take(fact).map((event, index) => ({
    event,
    place: { turnSequence, sequenceNumber, index },
    turnId,
  }));
}
