const POLL_EVERY_MS = 2_000;

/** The tenants whose contents may be logged now. A switch works within seconds, and is off while the list cannot be read. */
export class DebuggedTenants {
  readonly #timer: NodeJS.Timeout;
  #tenants: ReadonlySet<string> = new Set();
  #isPolling = false;

  /** `list`: ids of those tenants, as of now. */
  constructor(list: () => Promise<string[]>, onError: (error: unknown) => void) {
    const poll = async (): Promise<void> => {
      if (this.#isPolling) return;
      this.#isPolling = true;
      try {
        this.#tenants = new Set(await list());
      } catch (error) {
        this.#tenants = new Set();
        onError(error);
      } finally {
        this.#isPolling = false;
      }
    };
    void poll();
    this.#timer = setInterval(() => void poll(), POLL_EVERY_MS).unref();
  }

  has(tenantId: string): boolean {
    return this.#tenants.has(tenantId);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
