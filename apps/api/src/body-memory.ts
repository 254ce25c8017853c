export interface BodyMemoryLimits {
  /** Of all bodies that this process holds at once. */
  maxBytesInFlight: number;
  /** Of one body; a tenant may always have one of this size. */
  maxBytes: number;
}

/** What one request holds; it is given back once, when the request is over. */
export interface HeldBytes {
  /** Takes more; false, and nothing is taken, where there is no more. */
  grow(bytes: number): boolean;
  release(): void;
}

/**
 * Bounds the bytes of request bodies that a process holds at once, from before they are read until their request
 * is answered: of all tenants together, and of each tenant half of that, so that one alone cannot shut out the
 * others.
 */
export class BodyMemory {
  readonly #most: number;
  readonly #mostOfTenant: number;
  readonly #ofTenants = new Map<string, number>();
  #total = 0;

  constructor({ maxBytesInFlight, maxBytes }: BodyMemoryLimits) {
    this.#most = maxBytesInFlight;
    this.#mostOfTenant = Math.max(maxBytes, Math.floor(maxBytesInFlight / 2));
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#total;
  }

  hold(tenantId: string): HeldBytes {
    let held = 0;
    return {
      grow: (bytes) => {
        if (!this.#take(tenantId, bytes)) return false;
        held += bytes;
        return true;
      },
      release: () => {
        this.#giveBack(tenantId, held);
        held = 0;
      },
    };
  }

  #take(tenantId: string, bytes: number): boolean {
    const ofTenant = (this.#ofTenants.get(tenantId) ?? 0) + bytes;
    if (ofTenant > this.#mostOfTenant || this.#total + bytes > this.#most) return false;
    this.#total += bytes;
    this.#ofTenants.set(tenantId, ofTenant);
    return true;
  }

  #giveBack(tenantId: string, bytes: number): void {
    this.#total -= bytes;
    const left = (this.#ofTenants.get(tenantId) ?? 0) - bytes;
    if (left > 0) this.#ofTenants.set(tenantId, left);
    else this.#ofTenants.delete(tenantId);
  }
}
