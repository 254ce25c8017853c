import type { PromptPart } from './walk-prompt.ts';

/** Input tokens as usage tells them apart. */
export interface CacheUsage {
  read: number;
  created5m: number;
  created1h: number;
}

const MAX_ENTRIES = 100_000;
/** The real API looks this many blocks back from a marker for a prefix that it knows. */
const LOOK_BACK = 20;
const TTL_MS = { '5m': 5 * 60_000, '1h': 60 * 60_000 };

/** Remembers which prefixes were marked with `cache_control`, as the real prompt cache would. */
export class PromptCache {
  readonly #expiries = new Map<string, number>();

  /** What of this prompt is read and what is written, and remembers what is written. */
  use(parts: readonly PromptPart[], owner: string, minimumTokens: number): CacheUsage {
    const usage: CacheUsage = { read: 0, created5m: 0, created1h: 0 };
    const now = performance.now();
    const marked = parts.flatMap((part, index) =>
      part.marker !== null && part.tokens >= minimumTokens ? [{ part, index, ttl: part.marker }] : [],
    );
    for (const { index } of marked.toReversed()) {
      usage.read = this.#longestKnown(parts, index, owner, now);
      if (usage.read > 0) break;
    }
    let counted = usage.read;
    for (const { part, ttl } of marked) {
      const fresh = Math.max(0, part.tokens - counted);
      counted += fresh;
      if (ttl === '1h') usage.created1h += fresh;
      else usage.created5m += fresh;
      this.#remember(`${owner}:${part.digest}`, now + TTL_MS[ttl]);
    }
    return usage;
  }

  clear(): void {
    this.#expiries.clear();
  }

  #longestKnown(parts: readonly PromptPart[], from: number, owner: string, now: number): number {
    for (let index = from; index >= Math.max(0, from - LOOK_BACK); index--) {
      const part = parts[index];
      if (part !== undefined && (this.#expiries.get(`${owner}:${part.digest}`) ?? 0) > now)
        return part.tokens;
    }
    return 0;
  }

  #remember(key: string, expiry: number): void {
    this.#expiries.delete(key);
    this.#expiries.set(key, expiry);
    if (this.#expiries.size <= MAX_ENTRIES) return;
    const oldest = this.#expiries.keys().next();
    if (!oldest.done) this.#expiries.delete(oldest.value);
  }
}
