import type { Turn } from '@turnpike/contract';
import { FreshTurns } from './fresh-turns.ts';
import { RequestCoalescer } from './request-coalescer.ts';

/** How many clients may wait at once; further ones get the current state at once. */
const MAX_WAITERS = 20_000;
/** After a reconnect all read again, spread over time, so that the database is not overloaded. */
const SPREAD_PER_TURN_MS = 2;
const LEAST_SPREAD_MS = 1_000;

/** One client that waits for a turn. */
export interface Waiter {
  /** Resolves when the turn may have changed since the last call, or the time has passed. */
  next(): Promise<'changed' | 'over'>;
  /** The same, but resolves with `later` after this time. */
  nextWithin(ms: number): Promise<'changed' | 'over' | 'later'>;
  leave(): void;
}

/**
 * Clients that wait for turns. Signals wake them, so that none polls the database or holds a connection of it while it
 * waits. A waiter enters before it reads the turn, so that a change between the two is not missed.
 */
export class TurnWaiters {
  /** Shares one read between waiters that are woken together. */
  readonly reads = new RequestCoalescer<Turn | null>();
  /** Turns that are known to be open without a read. */
  readonly fresh = new FreshTurns();
  readonly #byTurn = new Map<string, Set<() => void>>();
  #count = 0;
  #closed = false;

  get count(): number {
    return this.#count;
  }

  /** Null where no more can wait. `signal` aborts when the client disconnects. */
  enter(turnId: string, waitMs: number, signal: AbortSignal): Waiter | null {
    if (this.#closed || this.#count >= MAX_WAITERS) return null;
    const end = performance.now() + waitMs;
    let changed = false;
    let over = signal.aborted;
    let wake: (() => void) | null = null;
    const onChange = (): void => {
      changed = true;
      wake?.();
    };
    const onEnd = (): void => {
      over = true;
      wake?.();
    };
    this.#add(turnId, onChange);
    signal.addEventListener('abort', onEnd, { once: true });
    const timer = setTimeout(onEnd, Math.max(0, end - performance.now()));
    const next = async (): Promise<'changed' | 'over'> => {
      if (!changed && !over && !this.#closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (over || this.#closed) return 'over';
      changed = false;
      return 'changed';
    };
    return {
      next,
      nextWithin: async (ms) => {
        let isLate = false;
        const limit = setTimeout(() => {
          isLate = true;
          wake?.();
        }, ms);
        const result = await next();
        clearTimeout(limit);
        return isLate && result === 'changed' ? 'later' : result;
      },
      leave: () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onEnd);
        this.#remove(turnId, onChange);
      },
    };
  }

  /** The turn changed. */
  wake(turnId: string): void {
    this.fresh.changed(turnId);
    for (const onChange of this.#byTurn.get(turnId) ?? []) onChange();
  }

  /** Signals may have been lost: every waiter reads again. */
  wakeAll(): void {
    this.fresh.clear();
    const spreadMs = Math.max(LEAST_SPREAD_MS, this.#byTurn.size * SPREAD_PER_TURN_MS);
    for (const turnId of this.#byTurn.keys()) setTimeout(() => this.wake(turnId), Math.random() * spreadMs);
  }

  /** Ends all waits: every client gets the current state. */
  close(): void {
    this.#closed = true;
    for (const listeners of this.#byTurn.values()) for (const onChange of listeners) onChange();
  }

  #add(turnId: string, onChange: () => void): void {
    const listeners = this.#byTurn.get(turnId);
    if (listeners === undefined) this.#byTurn.set(turnId, new Set([onChange]));
    else listeners.add(onChange);
    this.#count += 1;
  }

  #remove(turnId: string, onChange: () => void): void {
    const listeners = this.#byTurn.get(turnId);
    if (listeners?.delete(onChange) !== true) return;
    this.#count -= 1;
    if (listeners.size === 0) this.#byTurn.delete(turnId);
  }
}
