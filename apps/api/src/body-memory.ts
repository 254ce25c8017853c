export interface BodyMemoryLimits {
  /** The bound for all bodies that this process holds at once. */
  maxBytesInFlight: number;
  /** The bound for one body; a tenant may always have one of this size. */
  maxBytes: number;
}

/** The bytes that one request holds; released once, when the request ends. */
export interface HeldBytes {
  /** Reserves more bytes; false, and nothing is reserved, where the bound does not allow it. */
  grow(bytes: number): boolean;
  release(): void;
}

/**
 * Bounds the bytes of request bodies that a process holds at once, from before they are read until the response is
 * sent: of all tenants together, and of each tenant half of that, so that one tenant cannot block the others.
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

  /** Bytes that are held now, of all tenants. */
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
