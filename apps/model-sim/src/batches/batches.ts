/** A batch that was taken: its requests were answered then, and its results are shown when it has ended. */
export interface TakenBatch {
  id: string;
  apiKey: string;
  createdAt: number;
  endsAt: number;
  /** Lines of JSON. */
  results: { line: string; type: 'succeeded' | 'errored' }[];
}

/** The batches that one simulator has taken, the newest last. */
export class Batches {
  readonly #all = new Map<string, TakenBatch>();
  /** Responses that were lost since the script was set. */
  #lost = 0;

  add(batch: TakenBatch): void {
    this.#all.set(batch.id, batch);
  }

  get(id: string, apiKey: string): TakenBatch | null {
    const batch = this.#all.get(id);
    return batch?.apiKey === apiKey ? batch : null;
  }

  /** Those of a key, the newest first. */
  of(apiKey: string): TakenBatch[] {
    return [...this.#all.values()].filter((batch) => batch.apiKey === apiKey).toReversed();
  }

  /** Whether the response to a submission is one of the first `most`, which are lost. */
  losesNext(most: number): boolean {
    if (this.#lost >= most) return false;
    this.#lost += 1;
    return true;
  }

  clear(): void {
    this.#all.clear();
    this.#lost = 0;
  }
}
