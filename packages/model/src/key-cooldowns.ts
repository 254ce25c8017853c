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

/** Whether a failure is the key's, so that another key may work. */
export function isKeyFailure({ code }: Failure): boolean {
  return REASONS.has(code);
}

interface Cooldown {
  reason: Reason;
  /** By `now`. */
  until: number;
  /** The API itself said for how long. */
  isRequested: boolean;
}

/** Cooldowns kept at once; beyond that the oldest is dropped, and its key is used again. */
const MAX_COOLDOWNS = 10_000;

/**
 * Which keys failed a moment ago, so that the next call begins with a better one. It decides the order and nothing
 * else: where no key is better, one with a cooldown is used all the same.
 */
export class KeyCooldowns {
  readonly #limits: CooldownLimits;
  readonly #now: () => number;
  readonly #cooldowns = new Map<string, Cooldown>();

  /** `now` is in milliseconds, and never runs backwards. */
  constructor(limits: CooldownLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Starts the cooldown of a key that failed; a failure that is not the key's changes nothing. */
  start(id: string, { code, retryAfterMs }: Failure): void {
    const reason = REASONS.get(code);
    if (reason === undefined) return;
    const { rateLimitedCooldownMs, refusedCooldownMs } = this.#limits;
    const forMs = reason === 'refused' ? refusedCooldownMs : (retryAfterMs ?? rateLimitedCooldownMs);
    this.#cooldowns.delete(id);
    this.#cooldowns.set(id, { reason, until: this.#now() + forMs, isRequested: retryAfterMs !== undefined });
    for (const oldest of this.#cooldowns.keys()) {
      if (this.#cooldowns.size <= MAX_COOLDOWNS) break;
      this.#cooldowns.delete(oldest);
    }
  }

  /** A key works. */
  clear(id: string): void {
    this.#cooldowns.delete(id);
  }

  /** Milliseconds for which other keys are better; 0 for one that may work. */
  cooldownMs(id: string): number {
    const cooldown = this.#cooldowns.get(id);
    return cooldown === undefined ? 0 : Math.max(0, Math.ceil(cooldown.until - this.#now()));
  }

  /** Milliseconds to wait for this key, as the API requested. Infinite where it was refused. */
  waitMs(id: string): number {
    const cooldown = this.#cooldowns.get(id);
    if (cooldown === undefined) return 0;
    if (cooldown.reason === 'refused') return this.cooldownMs(id) === 0 ? 0 : Infinity;
    return cooldown.isRequested ? this.cooldownMs(id) : 0;
  }
}
