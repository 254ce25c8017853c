import { EVENT_TYPES } from '@turnpike/contract';
import { EventSource } from 'eventsource';
import { untilTrue } from '../../support/until-true.ts';
import { ShownTurn } from './shown-turn.ts';

/** A real `EventSource` that comes back by itself, and what it shows. */
export class FollowingClient {
  readonly shown = new ShownTurn();
  connections = 0;
  /** Answers that were no stream. */
  readonly refusals: (number | undefined)[] = [];
  readonly #source: EventSource;

  constructor(url: string, apiKey: string) {
    const authorization = `Bearer ${apiKey}`;
    this.#source = new EventSource(url, {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
    });
    this.#source.addEventListener('open', () => (this.connections += 1));
    this.#source.addEventListener('error', (error) => {
      if (error.code !== undefined) this.refusals.push(error.code);
    });
    for (const type of EVENT_TYPES) {
      this.#source.addEventListener(type, (message) => {
        this.shown.take(String(message.data), type === 'message.delta' ? null : message.lastEventId);
      });
    }
  }

  get isOpen(): boolean {
    return this.#source.readyState === EventSource.OPEN;
  }

  /** It got the response that nothing follows, and does not come back. */
  get isOver(): boolean {
    return this.#source.readyState === EventSource.CLOSED;
  }

  untilOver(limitMs = 60_000): Promise<void> {
    return untilTrue('the stream is over', () => this.isOver, limitMs);
  }

  close(): void {
    this.#source.close();
  }
}
