import { randomInt } from 'node:crypto';
import { expect } from '@jest/globals';

/** Chance that can be repeated: the same seed gives the same numbers (mulberry32). */
export class SeededRandom {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** From 0 up to 1, without it. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** Undefined where there is none to pick. */
  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.next() * items.length)];
  }
}

/** The chance of one case. It says its seed; with `CHAOS_SEED` the case is made again. */
export function startChance(): SeededRandom {
  const given = process.env['CHAOS_SEED'];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  process.stdout.write(`[chaos] CHAOS_SEED=${seed} ${expect.getState().currentTestName ?? ''}\n`);
  return new SeededRandom(seed);
}
