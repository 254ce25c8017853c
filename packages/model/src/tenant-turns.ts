/**
 * Whose long response is read next: one piece of one response in each round of the event loop, tenants in turn. In
 * between there is time for everything else, so that no number of fast responses delays a heartbeat, or a tenant with
 * a short one, by more than a piece of each tenant.
 */
export class TenantTurns {
  /** By tenant, in the order in which they are served next. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isServing = false;

  next(tenantId: string): Promise<void> {
    const served = new Promise<void>((resolve) => {
      const queue = this.#waiting.get(tenantId) ?? [];
      queue.push(resolve);
      this.#waiting.set(tenantId, queue);
    });
    if (!this.#isServing) setImmediate(() => this.#serve());
    this.#isServing = true;
    return served;
  }

  #serve(): void {
    const [first] = this.#waiting;
    this.#isServing = first !== undefined;
    if (first === undefined) return;
    const [tenantId, queue] = first;
    const serve = queue.shift();
    this.#waiting.delete(tenantId);
    // Behind the others, which have waited for longer.
    if (queue.length > 0) this.#waiting.set(tenantId, queue);
    serve?.();
    setImmediate(() => this.#serve());
  }
}
