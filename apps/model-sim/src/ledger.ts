import type { Call, Outcome, Stats } from './calls.ts';

const MAX_CALLS = 100_000;
const MAX_FINGERPRINTS = 500_000;
const MAX_WAITERS = 100;

/** Every call since the last reset: all are counted, the last 100,000 are listed. */
export class Ledger {
  readonly #calls = new Map<number, Call>();
  readonly #completions = new Map<string, number>();
  readonly #waiters = new Set<() => void>();
  readonly #counts: Record<Outcome, number> = {
    in_flight: 0,
    hung: 0,
    completed: 0,
    failed: 0,
    cut: 0,
    aborted: 0,
  };
  #total = 0;
  #rejected = 0;
  #duplicates = 0;
  #peak = 0;

  get total(): number {
    return this.#total;
  }

  /** How many calls are now in this state. */
  count(outcome: Outcome): number {
    return this.#counts[outcome];
  }

  /** A call has come. */
  begin(requestId: string): Call {
    this.#total += 1;
    const call: Call = {
      number: this.#total,
      at: new Date().toISOString(),
      ended_at: null,
      request_id: requestId,
      fingerprint: null,
      outcome: 'in_flight',
      status: null,
      stream: false,
      events: 0,
      rule: null,
      api_key_last4: null,
      api_key_header: null,
      session: null,
      turn: null,
      step: 0,
      messages: 0,
      model: null,
      parameters: {},
      tools: [],
      betas: [],
    };
    this.#calls.set(call.number, call);
    if (this.#calls.size > MAX_CALLS) this.#calls.delete(call.number - MAX_CALLS);
    this.#counts.in_flight += 1;
    this.#peak = Math.max(this.#peak, this.#inFlight());
    this.#wake();
    return call;
  }

  /** A call changes its state. An ended call stays as it ended. */
  move(call: Call, outcome: Outcome): void {
    if (call.ended_at !== null || call.outcome === outcome) return;
    this.#counts[call.outcome] -= 1;
    this.#counts[outcome] += 1;
    call.outcome = outcome;
    if (outcome !== 'in_flight' && outcome !== 'hung') call.ended_at = new Date().toISOString();
    if (outcome === 'completed' && call.fingerprint !== null) this.#countCompletion(call.fingerprint);
    this.#wake();
  }

  /** The call's request was not valid. */
  reject(): void {
    this.#rejected += 1;
  }

  callsAfter(number: number): Call[] {
    const calls: Call[] = [];
    const first = Math.max(number + 1, this.#total - MAX_CALLS + 1);
    for (let at = first; at <= this.#total; at++) {
      const call = this.#calls.get(at);
      if (call !== undefined) calls.push(call);
    }
    return calls;
  }

  stats(): Omit<Stats, 'rules'> {
    const { completed, failed, cut, aborted, hung } = this.#counts;
    return {
      calls: this.#total,
      completed,
      failed,
      cut,
      aborted,
      hung,
      rejected: this.#rejected,
      duplicates: this.#duplicates,
      in_flight: this.#inFlight(),
      peak_in_flight: this.#peak,
    };
  }

  /** Resolves true once `reached` holds, false after `timeoutMs` or when the signal aborts. */
  waitUntil(reached: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (reached()) return Promise.resolve(true);
    if (this.#waiters.size >= MAX_WAITERS || signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (response: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        signal.removeEventListener('abort', giveUp);
        resolve(response);
      };
      const check = (): void => {
        if (reached()) settle(true);
      };
      const giveUp = (): void => settle(false);
      const timer = setTimeout(giveUp, timeoutMs);
      this.#waiters.add(check);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #inFlight(): number {
    return this.#counts.in_flight + this.#counts.hung;
  }

  #countCompletion(fingerprint: string): void {
    const times = (this.#completions.get(fingerprint) ?? 0) + 1;
    this.#completions.set(fingerprint, times);
    if (times === 2) this.#duplicates += 1;
    if (this.#completions.size <= MAX_FINGERPRINTS) return;
    const oldest = this.#completions.keys().next();
    if (!oldest.done) this.#completions.delete(oldest.value);
  }

  #wake(): void {
    for (const check of this.#waiters) check();
  }
}
