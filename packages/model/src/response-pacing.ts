import { TenantTurns } from './tenant-turns.ts';

/** No model writes faster, even with an event for each token: 500 tokens a second, at 130 bytes each. */
const BYTES_PER_SECOND = 64 * 1024;
/** What may come at once, of all responses that a tenant reads: short ones, or what a gateway has held back. */
const BURST_BYTES = 256 * 1024;
/** Of the event loop, for all responses that come faster than a model writes. */
const SHARE_OF_FAST = 0.1;

/** Read before others are served. */
const PIECE_BYTES = 16 * 1024;

/** Of one response. */
export interface ResponsePace {
  /** So many bytes have come: null where they may be read at once, else a promise of the response's next turn. */
  next(bytes: number): Promise<void> | null;
  /** The response has ended. Call this once. */
  close(): void;
}

/**
 * Bounds how long the reading of responses keeps the event loop from everything else: a tenant's gateway decides how
 * much arrives, and how fast. A response is read in pieces, tenants in turn, and one that comes faster than any model
 * writes shares a small part of the loop's time with all others like it.
 */
export class ResponsePacing {
  readonly #steady = new TenantTurns();
  readonly #fast = new TenantTurns(SHARE_OF_FAST);

  /** Responses that are being read, by tenant. */
  readonly #open = new Map<string, number>();

  open(tenantId: string): ResponsePace {
    this.#count(tenantId, 1);
    const startedAt = performance.now();
    let total = 0;
    let sinceTurn = 0;
    return {
      next: (bytes) => {
        total += bytes;
        sinceTurn += bytes;
        if (sinceTurn < PIECE_BYTES) return null;
        sinceTurn = 0;
        const seconds = (performance.now() - startedAt) / 1_000;
        const burst = BURST_BYTES / (this.#open.get(tenantId) ?? 1);
        const isFast = total > burst + seconds * BYTES_PER_SECOND;
        return (isFast ? this.#fast : this.#steady).next(tenantId);
      },
      close: () => this.#count(tenantId, -1),
    };
  }

  #count(tenantId: string, change: 1 | -1): void {
    const count = (this.#open.get(tenantId) ?? 0) + change;
    if (count === 0) this.#open.delete(tenantId);
    else this.#open.set(tenantId, count);
  }
}
