import type pg from 'pg';
import { StoreUnavailableError } from './sql.ts';

export interface GroupCommitOptions<Item, Result> {
  /** Writes these items in one statement or transaction, and returns their results in the same order. Fails for all or for none. */
  write: (items: readonly Item[]) => Promise<Result[]>;
  /** Items with the same key never share a statement. */
  keyOf: (item: Item) => string;
  /** Default: 64. */
  mostItems?: number;
  /** Items beyond this are refused. Default: 5,000. */
  mostWaiting?: number;
}

/** For callers: a larger item is written alone, since its group would wait until it is sent and parsed. */
export const MOST_SHARED_BYTES = 65_536;

/** Groups in flight at once. */
const MOST_AT_ONCE = 2;
/**
 * The second begins only once the first has taken this long, in milliseconds: it may wait for a slow disk. Before
 * that, what arrives makes the next group larger, and a statement less saves more than the wait costs.
 */
const SECOND_AFTER_MS = 10;
const MOST_ITEMS = 64;
const MOST_BYTES = 1_000_000;
/** To wait longer than a client does is of no use. */
const MOST_WAITING = 5_000;
/** Checked when the next group is formed. */
const LONGEST_WAIT_MS = 5_000;

interface Waiting<Item, Result> {
  item: Item;
  bytes: number;
  since: number;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Group commit (DeWitt et al., "Implementation techniques for main memory database systems", 1984): writes that
 * arrive while others are in flight share the next statement, and its one commit. No write waits for others to
 * arrive: one that is alone is sent at once. A result is returned after the commit of its write, as without the group.
 */
export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #underWay = 0;
  #isStarting = false;
  #lastBegan = -Infinity;
  /** A timer will start the second. */
  #isDelayed = false;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  /**
   * `bytes`: about how much the item adds to the statement. Throws what writing the item throws, and
   * `StoreUnavailableError` if too many are waiting, or if it waited too long.
   */
  add(item: Item, bytes: number): Promise<Result> {
    if (this.#waiting.length >= (this.#options.mostWaiting ?? MOST_WAITING)) return Promise.reject(tooBusy());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, since: performance.now(), resolve, reject });
      this.#start();
    });
  }

  #start(): void {
    if (this.#isStarting || this.#underWay >= MOST_AT_ONCE || this.#waiting.length === 0) return;
    const isFull = this.#waiting.length >= (this.#options.mostItems ?? MOST_ITEMS);
    const waitMs = this.#lastBegan + SECOND_AFTER_MS - performance.now();
    if (this.#underWay > 0 && !isFull && waitMs > 0) {
      if (this.#isDelayed) return;
      this.#isDelayed = true;
      setTimeout(() => {
        this.#isDelayed = false;
        this.#start();
      }, waitMs);
      return;
    }
    this.#isStarting = true;
    // One tick of the event loop, so that requests which arrived together are sent together.
    setImmediate(() => {
      this.#isStarting = false;
      void this.#writeGroup(this.#take());
    });
  }

  async #writeGroup(group: readonly Waiting<Item, Result>[]): Promise<void> {
    if (group.length === 0) return;
    this.#underWay += 1;
    this.#lastBegan = performance.now();
    this.#start();
    try {
      await this.#write(group);
    } finally {
      this.#underWay -= 1;
      this.#start();
    }
  }

  async #write(group: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#options.write(group.map(({ item }) => item));
      for (const [index, { resolve, reject }] of group.entries()) {
        const result = results[index];
        if (result === undefined) reject(new Error('An item of a group has no result.'));
        else resolve(result);
      }
    } catch (error) {
      if (group.length === 1 || error instanceof StoreUnavailableError) {
        for (const { reject } of group) reject(error);
        return;
      }
      // One of them cannot be written: it must not fail the others.
      await Promise.all(group.map((one) => this.#write([one])));
    }
  }

  /** Removes the oldest items that fit into one group. */
  #take(): Waiting<Item, Result>[] {
    const { keyOf, mostItems = MOST_ITEMS } = this.#options;
    const group: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    const keys = new Set<string>();
    const tooOld = performance.now() - LONGEST_WAIT_MS;
    let total = 0;
    for (const one of this.#waiting) {
      if (one.since < tooOld) {
        one.reject(tooBusy());
        continue;
      }
      const fits = group.length === 0 || (group.length < mostItems && total + one.bytes <= MOST_BYTES);
      if (!fits || keys.has(keyOf(one.item))) {
        left.push(one);
        continue;
      }
      keys.add(keyOf(one.item));
      total += one.bytes;
      group.push(one);
    }
    this.#waiting = left;
    return group;
  }
}

/** One for each pool: writes through the same connections may share a group. */
export function perPool<Made>(make: (pool: pg.Pool) => Made): (pool: pg.Pool) => Made {
  const known = new WeakMap<pg.Pool, Made>();
  return (pool) => {
    let made = known.get(pool);
    if (made === undefined) known.set(pool, (made = make(pool)));
    return made;
  };
}

function tooBusy(): StoreUnavailableError {
  return new StoreUnavailableError('store_unavailable', 'The database is too slow for its load.');
}
