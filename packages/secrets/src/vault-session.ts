import { KeyProviderError } from './errors.ts';
import type { VaultResponse } from './vault-response.ts';
import type { VaultApi } from './vault-api.ts';
import { logIn, renewLease, type VaultLease } from './vault-lease.ts';
import type { VaultRules } from './vault-settings.ts';

const MAX_TIMER_MS = 24 * 60 * 60_000;
const MIN_TIMER_MS = 250;
const RETRY_RENEWAL_MS = 30_000;

/**
 * Keeps a token valid. The first call logs in; after that, a timer renews the token at about two thirds of its
 * lifetime, so that an idle process keeps it too.
 */
export class VaultSession {
  readonly #api: VaultApi;
  readonly #rules: VaultRules;
  #lease: VaultLease | undefined;
  #loggingIn: Promise<VaultLease> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(api: VaultApi, rules: VaultRules) {
    this.#api = api;
    this.#rules = rules;
  }

  /**
   * Sends a POST with the token. After a 403 it logs in again and repeats the request once, if an AppRole is
   * configured. Throws `KeyProviderError`.
   */
  async post(path: string, body: Readonly<Record<string, string>>): Promise<VaultResponse> {
    const lease = await this.#current();
    const response = await this.#send(path, body, lease);
    if (response.status !== 403 || this.#rules.auth.method === 'token') return response;
    // Concurrent calls may have got a 403 too: only the first one logs in.
    if (this.#lease === lease) this.#lease = undefined;
    return this.#send(path, body, await this.#current());
  }

  close(): void {
    this.#closed = true;
    this.#lease = undefined;
    clearTimeout(this.#timer);
  }

  #send(path: string, body: Readonly<Record<string, string>>, { token }: VaultLease): Promise<VaultResponse> {
    return this.#api.send({ method: 'POST', path, body, token });
  }

  async #current(): Promise<VaultLease> {
    if (this.#lease !== undefined && this.#lease.endsAt > Date.now()) return this.#lease;
    this.#loggingIn ??= logIn(this.#api, this.#rules.auth)
      .then((lease) => this.#keep(lease))
      .finally(() => {
        this.#loggingIn = undefined;
      });
    return this.#loggingIn;
  }

  #keep(lease: VaultLease): VaultLease {
    if (this.#closed) throw new KeyProviderError('key_provider_closed', 'The Vault client was closed.');
    this.#lease = lease;
    // Jitter, so that processes that started together do not renew together.
    this.#refreshAfter(lease, (lease.endsAt - Date.now()) * (0.6 + Math.random() * 0.1));
    return lease;
  }

  #refreshAfter(lease: VaultLease, ms: number): void {
    clearTimeout(this.#timer);
    if (lease.endsAt === Infinity) return;
    const bounded = Math.min(Math.max(ms, MIN_TIMER_MS), MAX_TIMER_MS);
    this.#timer = setTimeout(() => void this.#refresh(lease), bounded);
    this.#timer.unref();
  }

  async #refresh(lease: VaultLease): Promise<void> {
    if (this.#lease !== lease) return;
    try {
      const next = await renewLease(this.#api, this.#rules.auth, lease);
      if (this.#lease === lease) this.#keep(next);
    } catch (error) {
      if (this.#lease !== lease) return;
      if (error instanceof KeyProviderError) this.#rules.onRenewalFailure?.(error);
      const left = lease.endsAt - Date.now();
      if (left > MIN_TIMER_MS) this.#refreshAfter(lease, Math.min(RETRY_RENEWAL_MS, left / 3));
    }
  }
}
