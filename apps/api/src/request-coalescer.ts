/**
 * Makes one read of what many ask for in the same moment: before the event loop does anything else,
 * so that no answer is older than the reason to ask.
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
