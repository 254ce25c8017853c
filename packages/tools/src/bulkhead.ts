/**
 * Room for a number of calls at once. A call holds its place until it really ends, also when
 * nobody waits for it any more: so a hung tool fills its own room, and no other.
 */
export class Bulkhead {
  readonly #places: number;
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Starts `work` if there is room; null where there is none. */
  enter<Result>(work: () => Promise<Result>): Promise<Result> | null {
    if (this.#taken >= this.#places) return null;
    this.#taken += 1;
    const running = work();
    const leave = (): void => {
      this.#taken -= 1;
    };
    running.then(leave, leave);
    return running;
  }
}
