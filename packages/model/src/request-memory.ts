/** Bytes of large requests that one worker makes at once. */
export interface RequestMemoryLimits {
  ofTenant: number;
  ofAll: number;
}

/** A request is in memory about three times while it leaves: as text, as bytes, and as its connection has them. */
const REQUEST_MEMORY: RequestMemoryLimits = {
  ofTenant: 64 * 1024 * 1024,
  ofAll: 128 * 1024 * 1024,
};

/** Smaller ones are not counted: there is one for each turn, and turns are limited. */
const LARGE_BYTES = 256 * 1024;

export function isLarge(bytes: number): boolean {
  return bytes >= LARGE_BYTES;
}

interface Waiting {
  tenantId: string;
  bytes: number;
  admit(): void;
}

/**
 * Bounds the bytes of large requests that are in memory at once. Whoever finds no room waits for it, in order, and one
 * tenant cannot take all of it. A request that is larger than a bound is alone within that bound.
 */
export class RequestMemory {
  readonly #limits: RequestMemoryLimits;
  readonly #ofTenants = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #ofAll = 0;

  constructor(limits: RequestMemoryLimits = REQUEST_MEMORY) {
    this.#limits = limits;
  }

  /** Resolves when there is room, with what gives it back. Throws the signal's reason. */
  async hold(tenantId: string, bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (!isLarge(bytes)) return () => undefined;
    if (this.#waiting.size > 0 || !this.#hasRoom({ tenantId, bytes }))
      await this.#wait(tenantId, bytes, signal);
    else this.#change(tenantId, bytes);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#change(tenantId, -bytes);
      this.#admitNext();
    };
  }

  #wait(tenantId: string, bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', giveUp);
      };
      const giveUp = (): void => {
        leave();
        reject(signal.reason as Error);
        // It may have been what the others waited behind.
        this.#admitNext();
      };
      const admit = (): void => {
        leave();
        this.#change(tenantId, bytes);
        resolve();
      };
      const waiting: Waiting = { tenantId, bytes, admit };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#admitNext();
    });
  }

  /** In order; only those are passed whose tenant has taken its share. */
  #admitNext(): void {
    for (const waiting of this.#waiting) {
      if (this.#hasRoom(waiting)) waiting.admit();
      else if (this.#fits(this.#heldBy(waiting.tenantId), waiting.bytes, this.#limits.ofTenant)) return;
    }
  }

  #hasRoom({ tenantId, bytes }: Pick<Waiting, 'tenantId' | 'bytes'>): boolean {
    const { ofTenant, ofAll } = this.#limits;
    return this.#fits(this.#heldBy(tenantId), bytes, ofTenant) && this.#fits(this.#ofAll, bytes, ofAll);
  }

  #fits(held: number, bytes: number, most: number): boolean {
    return held === 0 || held + bytes <= most;
  }

  #heldBy(tenantId: string): number {
    return this.#ofTenants.get(tenantId) ?? 0;
  }

  #change(tenantId: string, bytes: number): void {
    this.#ofAll += bytes;
    const ofTenant = this.#heldBy(tenantId) + bytes;
    if (ofTenant > 0) this.#ofTenants.set(tenantId, ofTenant);
    else this.#ofTenants.delete(tenantId);
  }
}
