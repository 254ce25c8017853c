import { setTimeout as sleep } from 'node:timers/promises';
import type { Secret } from '@turnpike/telemetry';
import { KeyProviderError } from './errors.ts';
import { classifyVaultResponse, type VaultResponse, type VaultFailure } from './vault-response.ts';
import type { VaultRules } from './vault-settings.ts';

export interface VaultRequest {
  method: 'GET' | 'POST';
  /** Path below `/v1/`. */
  path: string;
  token?: Secret;
  body?: Readonly<Record<string, string>>;
}

/** A client of Vault's HTTP API that retries requests. */
export interface VaultApi {
  /**
   * Returns a response that a retry would not change: 2xx or 4xx. All requests of this package may be repeated.
   * Throws `KeyProviderError` if no attempt got such a response in time.
   */
  send(request: VaultRequest): Promise<VaultResponse>;
  /** Ends all requests. */
  close(): void;
}

export function connectVaultApi(rules: VaultRules): VaultApi {
  const closing = new AbortController();

  /** Returns a failure instead of throwing it, so that the caller can retry. */
  async function attempt(request: VaultRequest): Promise<VaultResponse | VaultFailure> {
    // `AbortSignal.any` would keep each of these alive for as long as `closing`.
    const ending = new AbortController();
    const end = (): void => ending.abort();
    const timer = setTimeout(end, rules.timeoutMs);
    closing.signal.addEventListener('abort', end);
    try {
      const response = await rules.fetch(new URL(`/v1/${request.path}`, rules.address).href, {
        method: request.method,
        headers: headersOf(request, rules),
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        // A redirect would send the token elsewhere.
        redirect: 'manual',
        signal: ending.signal,
      });
      return classifyVaultResponse(
        response.status,
        await response.text(),
        response.headers.get('retry-after'),
      );
    } catch (error) {
      const message = `Vault did not respond${codeOf(error)}.`;
      return { error: new KeyProviderError('key_provider_unreachable', message), pauseMs: 0 };
    } finally {
      clearTimeout(timer);
      closing.signal.removeEventListener('abort', end);
    }
  }

  async function wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: closing.signal }).catch(() => undefined);
  }

  return {
    close: () => closing.abort(),
    send: async (request) => {
      const deadline = performance.now() + rules.deadlineMs;
      for (let attempts = 1; ; attempts++) {
        if (closing.signal.aborted)
          throw new KeyProviderError('key_provider_closed', 'The Vault client was closed.');
        const outcome = await attempt(request);
        if (!('error' in outcome)) return outcome;
        const ceiling = Math.min(rules.backoffCapMs, rules.backoffBaseMs * 2 ** (attempts - 1));
        const pauseMs = outcome.pauseMs + Math.random() * ceiling;
        if (attempts >= rules.maxAttempts || performance.now() + pauseMs > deadline) throw outcome.error;
        await wait(pauseMs);
      }
    },
  };
}

function headersOf({ token, body }: VaultRequest, { namespace }: VaultRules): Record<string, string> {
  return {
    accept: 'application/json',
    // A Vault proxy can require it, as protection against server-side request forgery.
    'x-vault-request': 'true',
    ...(token === undefined ? {} : { 'x-vault-token': token.reveal() }),
    ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}

/** Only the error's code: the message of an HTTP client may contain a header, and so the token. */
function codeOf(error: unknown): string {
  let cause = error;
  for (let depth = 0; depth < 5 && typeof cause === 'object' && cause !== null; depth++) {
    const code: unknown = Reflect.get(cause, 'code');
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return `: ${code}`;
    cause = Reflect.get(cause, 'cause');
  }
  return '';
}
