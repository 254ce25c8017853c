import { TurnpikeError } from '@turnpike/contract';
import { z } from 'zod';
import { callListSchema, statsSchema } from './calls.ts';
import type { Call, Outcome, Stats } from './calls.ts';
import type { ScriptInput } from './script.ts';

const MARGIN_MS = 10_000;

/** The control routes of a simulator, for tests. Every method throws `TurnpikeError` when it is refused. */
export class SimControl {
  readonly #url: string;

  /** `url` is the simulator's `controlUrl`. */
  constructor(url: string) {
    this.#url = url.replace(/\/$/, '');
  }

  /** Takes another script; no rule of it has fired yet. */
  async setScript(script: ScriptInput): Promise<void> {
    await this.#ask('PUT', '/script', MARGIN_MS, z.object({ rules: z.int() }), script);
  }

  /** The first script again, no calls, an empty cache; what hangs goes on. */
  async reset(): Promise<void> {
    await this.#ask('POST', '/reset', MARGIN_MS, z.object({ reset: z.literal(true) }));
  }

  /** Lets what hangs go on; says how many calls that were. */
  async release(): Promise<number> {
    const answer = await this.#ask('POST', '/release', MARGIN_MS, z.object({ released: z.int() }));
    return answer.released;
  }

  /**
   * The calls so far, those `after` a number only. With `waitFor`, once that many have come
   * (or, with `outcome`, are in that state); throws `TurnpikeError` `sim_wait_timeout` when
   * they have not within `timeoutMs` (default and most: 120 s).
   */
  async calls(
    wish: { waitFor?: number; outcome?: Outcome; timeoutMs?: number; after?: number } = {},
  ): Promise<Call[]> {
    const timeoutMs = wish.timeoutMs ?? 120_000;
    const query = new URLSearchParams({
      wait_for: String(wish.waitFor ?? 0),
      timeout_ms: String(timeoutMs),
      after: String(wish.after ?? 0),
    });
    if (wish.outcome !== undefined) query.set('outcome', wish.outcome);
    const list = await this.#ask('GET', `/calls?${query.toString()}`, timeoutMs + MARGIN_MS, callListSchema);
    if (!list.reached) {
      const wanted = `${wish.waitFor ?? 0} ${wish.outcome ?? 'calls'}`;
      throw new TurnpikeError(
        'sim_wait_timeout',
        `The simulator waited for ${wanted} and saw ${list.total} calls.`,
      );
    }
    return list.calls;
  }

  stats(): Promise<Stats> {
    return this.#ask('GET', '/stats', MARGIN_MS, statsSchema);
  }

  async #ask<Schema extends z.ZodType>(
    method: string,
    path: string,
    timeoutMs: number,
    schema: Schema,
    body?: unknown,
  ): Promise<z.output<Schema>> {
    const response = await fetch(`${this.#url}/control${path}`, {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new TurnpikeError('sim_refused', `${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    }
    return schema.parse(JSON.parse(text));
  }
}
