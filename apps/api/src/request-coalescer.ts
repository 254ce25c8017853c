/**
 * Makes one read for all callers of the same tick of the event loop, so that no result is older than the reason for
 * the read.
 */
export class RequestCoalescer<Value> {
  readonly #made = new Map<string, Promise<Value>>();

  read(key: string, make: () => Promise<Value>): Promise<Value> {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#made.set(key, made);
    process.nextTick(() => this.#made.delete(key));
    return made;
  }
}
