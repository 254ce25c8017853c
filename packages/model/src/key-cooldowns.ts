import type { Failure } from './classify-error.ts';
import type { ModelLimits } from './limits.ts';

type CooldownLimits = Pick<ModelLimits, 'rateLimitedCooldownMs' | 'refusedCooldownMs'>;

/** Why another key may work where this one did not. */
type Reason = 'rate_limited' | 'refused';

const REASONS: ReadonlyMap<string, Reason> = new Map([
  ['model_rate_limited', 'rate_limited'],
  ['model_authentication', 'refused'],
  ['model_permission', 'refused'],
  ['model_billing', 'refused'],
  ['model_spend_limit', 'refused'],
]);

/** Whether a failure speaks against the key that was used, so that another one may help. */
export function isKeyFailure({ code }: Failure): boolean {
  return REASONS.has(code);
}

interface Aside {
  reason: Reason;
  /** By `now`. */
  until: number;
  /** The API itself said until when. */
  isAsked: boolean;
}

/** Places remembered at once; the one noted longest ago is forgotten, and so asked again. */
const MOST = 10_000;

/**
 * Which keys failed a moment ago, so that the next call begins with a better one. It decides the order
 * and nothing else: where no key is better, one that is here is asked all the same.
 */
export class KeyCooldowns {
  readonly #limits: CooldownLimits;
  readonly #now: () => number;
  readonly #aside = new Map<string, Aside>();

  /** `now` is in milliseconds, and never runs backwards. */
  constructor(limits: CooldownLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** A key failed so; a failure that is not the key's changes nothing. */
  note(id: string, { code, retryAfterMs }: Failure): void {
    const reason = REASONS.get(code);
    if (reason === undefined) return;
    const { rateLimitedCooldownMs, refusedCooldownMs } = this.#limits;
    const forMs = reason === 'refused' ? refusedCooldownMs : (retryAfterMs ?? rateLimitedCooldownMs);
    this.#aside.delete(id);
    this.#aside.set(id, { reason, until: this.#now() + forMs, isAsked: retryAfterMs !== undefined });
    for (const oldest of this.#aside.keys()) {
      if (this.#aside.size <= MOST) break;
      this.#aside.delete(oldest);
    }
  }

  /** A key works. */
  clear(id: string): void {
    this.#aside.delete(id);
  }

  /** Milliseconds for which other keys are better; 0 for one that may well work. */
  cooldownMs(id: string): number {
    const aside = this.#aside.get(id);
    return aside === undefined ? 0 : Math.max(0, Math.ceil(aside.until - this.#now()));
  }

  /** Milliseconds for which it is worth waiting for this key: what the API asked for. Infinite where it was refused. */
  waitMs(id: string): number {
    const aside = this.#aside.get(id);
    if (aside === undefined) return 0;
    if (aside.reason === 'refused') return this.cooldownMs(id) === 0 ? 0 : Infinity;
    return aside.isAsked ? this.cooldownMs(id) : 0;
  }
}
