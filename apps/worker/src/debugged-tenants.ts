const LOOK_EVERY_MS = 2_000;

/** Whose turns may be logged now. A switch works within seconds, and turns itself off when nobody can be asked. */
export class DebuggedTenants {
  readonly #timer: NodeJS.Timeout;
  #tenants: ReadonlySet<string> = new Set();
  #looking = false;

  /** `list`: ids of those tenants, as of now. */
  constructor(list: () => Promise<string[]>, onError: (error: unknown) => void) {
    const look = async (): Promise<void> => {
      if (this.#looking) return;
      this.#looking = true;
      try {
        this.#tenants = new Set(await list());
      } catch (error) {
        this.#tenants = new Set();
        onError(error);
      } finally {
        this.#looking = false;
      }
    };
    void look();
    this.#timer = setInterval(() => void look(), LOOK_EVERY_MS).unref();
  }

  has(tenantId: string): boolean {
    return this.#tenants.has(tenantId);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
