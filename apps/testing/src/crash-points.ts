/**
 * A moment between two facts of a turn, at which its worker dies: `after tool send_invoice`, `before step charge`,
 * `after model call 2`, `before commit 3`; with ` #2` at the end, the second such moment. `crashAt` writes it.
 */
export type CrashPoint = string;

/** What a crash is before or after. */
export type CrashPlace =
  /** A run of a tool. After: it has returned, and its output is not committed. */
  | { tool: string; occurrence?: number }
  /** A durable step of a tool. After: its function has returned, and its result is not committed. */
  | { step: string; occurrence?: number }
  /** A model call, counted from 1. After: the response is there, and not committed. */
  | { model: number }
  /** A commit of the journal, counted from 1. After: it is committed, and nobody knows. */
  | { commit: number };

/** The moment before or after something that a turn does. */
export function crashAt(side: 'before' | 'after', place: CrashPlace): CrashPoint {
  if ('model' in place) return `${side} model call ${place.model}`;
  if ('commit' in place) return `${side} commit ${place.commit}`;
  const what = 'tool' in place ? `tool ${place.tool}` : `step ${place.step}`;
  return pointOf(side, what, place.occurrence ?? 1);
}

function pointOf(side: 'before' | 'after', what: string, occurrence: number): CrashPoint {
  return `${side} ${what}${occurrence === 1 ? '' : ` #${occurrence}`}`;
}

/** Which moments the attempts at one turn passed, and those at which a worker is to die, in this order. */
export class CrashPlan {
  /** All moments that were passed, in order. */
  readonly passed: CrashPoint[] = [];
  readonly #toCome: CrashPoint[];
  readonly #counts = new Map<string, number>();

  constructor(crashes: readonly CrashPoint[]) {
    this.#toCome = [...crashes];
  }

  /** The moment that is still to come; undefined where every crash has been. */
  get next(): CrashPoint | undefined {
    return this.#toCome[0];
  }

  /** How often something was begun by now, this time included. */
  count(what: string): number {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return count;
  }

  /** True where the worker dies at this moment. */
  pass(point: CrashPoint): boolean {
    this.passed.push(point);
    if (this.#toCome[0] !== point) return false;
    this.#toCome.shift();
    return true;
  }
}

/** One worker's life: from its death on, nothing that it waits for ever comes. */
export class WorkerLife {
  readonly #plan: CrashPlan;
  readonly #onDeath: () => void;
  #isDead = false;

  constructor(plan: CrashPlan, onDeath: () => void) {
    this.#plan = plan;
    this.#onDeath = onDeath;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Does something, and passes the moments before and after it. Never settles where the worker is dead. */
  async around<Result>(what: string, work: () => Promise<Result> | Result): Promise<Result> {
    const occurrence = this.#isDead ? 0 : this.#plan.count(what);
    const numbered = /^(model call|commit)$/.test(what);
    const point = (side: 'before' | 'after'): CrashPoint =>
      numbered ? `${side} ${what} ${occurrence}` : pointOf(side, what, occurrence);
    await this.#pass(point('before'));
    let result: Result;
    try {
      result = await work();
    } catch (error) {
      if (this.#isDead) return never();
      throw error;
    }
    await this.#pass(point('after'));
    return result;
  }

  /** Does something that no moment is named for. Never settles where the worker is dead. */
  async alive<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isDead) return never();
    const result = await work();
    return this.#isDead ? never() : result;
  }

  async #pass(point: CrashPoint): Promise<void> {
    if (this.#isDead) return never();
    if (!this.#plan.pass(point)) return;
    this.#isDead = true;
    this.#onDeath();
    return never();
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
