import type { Turn } from '@turnpike/contract';
import { RequestCoalescer } from './request-coalescer.ts';

/** How many clients may wait at once; more are answered with the state of the moment. */
const MAX_WAITERS = 20_000;
/** After a reconnect all look again, turn after turn, so that the database is not run over. */
const SPREAD_PER_TURN_MS = 2;
const LEAST_SPREAD_MS = 1_000;

/** A client that waits for a turn. */
export interface Waiter {
  /** Resolves when the turn may have changed since the last call, or the time is over. */
  next(): Promise<'changed' | 'over'>;
  leave(): void;
}

/**
 * Clients that wait for turns: woken by signals, so that nobody reads the database in a loop, and
 * nobody holds a connection of it while waiting. Whoever waits enters before reading the turn, so
 * that a change between the two is not missed.
 */
export class TurnWaiters {
  /** What those who are woken together read. */
  readonly reads = new RequestCoalescer<Turn | null>();
  readonly #byTurn = new Map<string, Set<() => void>>();
  #count = 0;
  #closed = false;

  get count(): number {
    return this.#count;
  }

  /** Null where no more can wait. `signal` is the client's: it may go away. */
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
    return {
      next: async () => {
        if (!changed && !over && !this.#closed) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        if (over || this.#closed) return 'over';
        changed = false;
        return 'changed';
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
    for (const onChange of this.#byTurn.get(turnId) ?? []) onChange();
  }

  /** Signals may have been lost: everybody looks again. */
  wakeAll(): void {
    const spreadMs = Math.max(LEAST_SPREAD_MS, this.#byTurn.size * SPREAD_PER_TURN_MS);
    for (const turnId of this.#byTurn.keys()) setTimeout(() => this.wake(turnId), Math.random() * spreadMs);
  }

  /** Nobody waits any longer: all are answered with the state of the moment. */
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
