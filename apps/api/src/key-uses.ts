/** The resolution of `last_used_at`. */
const FLUSH_MS = 30_000;

/** Collects the keys that were used, and records them at intervals, so that not every request is a write. */
export class KeyUses {
  readonly #record: (keyIds: string[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  readonly #used = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(record: (keyIds: string[]) => Promise<void>, onError: (error: unknown) => void) {
    this.#record = record;
    this.#onError = onError;
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  add(keyId: string): void {
    this.#used.add(keyId);
  }

  /** Never throws. */
  async flush(): Promise<void> {
    const used = [...this.#used];
    if (used.length === 0) return;
    this.#used.clear();
    await this.#record(used).catch(this.#onError);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
