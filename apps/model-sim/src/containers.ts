import { ApiError } from './api-error.ts';
import { newSimId } from './ids.ts';

const MOST = 10_000;
const LIFETIME_MS = 60 * 60 * 1000;

/** The containers in which the API runs code. A reset of the simulator lets all of them expire. */
export class Containers {
  readonly #ids = new Set<string>();

  /** The one that the request names, or a new one. */
  open(id: string | null): { id: string; expires_at: string } {
    const used = id ?? newSimId('container');
    this.#ids.add(used);
    const [oldest] = this.#ids;
    if (this.#ids.size > MOST && oldest !== undefined) this.#ids.delete(oldest);
    return { id: used, expires_at: new Date(Date.now() + LIFETIME_MS).toISOString() };
  }

  /** Throws `ApiError` 500, as the API was seen to do, for one that has expired. */
  check(id: string | null): void {
    if (id !== null && !this.#ids.has(id)) throw new ApiError(500, 'Internal server error');
  }

  clear(): void {
    this.#ids.clear();
  }
}
