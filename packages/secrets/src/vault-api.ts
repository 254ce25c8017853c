import { setTimeout as sleep } from 'node:timers/promises';
import type { Secret } from '@turnpike/telemetry';
import { KeyProviderError } from './errors.ts';
import { classifyVaultResponse, type VaultResponse, type VaultFailure } from './vault-response.ts';
import type { VaultRules } from './vault-settings.ts';

export interface VaultRequest {
  method: 'GET' | 'POST';
  /** Under `/v1/`. */
  path: string;
  token?: Secret;
  body?: Readonly<Record<string, string>>;
}

/** The HTTP API of Vault: one request at a time, sent again where that can help. */
export interface VaultApi {
  /**
   * An answer that asking again would not change: 2xx, or 4xx. All that is asked for here may be done twice.
   * Throws `KeyProviderError` when there was none in time, in any attempt.
   */
  send(request: VaultRequest): Promise<VaultResponse>;
  /** Ends what is under way. */
  close(): void;
}

export function connectVaultApi(rules: VaultRules): VaultApi {
  const closing = new AbortController();

  /** Gives what went wrong back, and does not throw: whoever asks may try again. */
  async function attempt(request: VaultRequest): Promise<VaultResponse | VaultFailure> {
    // `AbortSignal.any` would keep each of these alive for as long as `closing`.
    const ending = new AbortController();
    const end = (): void => ending.abort();
    const timer = setTimeout(end, rules.timeoutMs);
    closing.signal.addEventListener('abort', end);
    try {
      const answer = await rules.fetch(new URL(`/v1/${request.path}`, rules.address).href, {
        method: request.method,
        headers: headersOf(request, rules),
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        // A redirect would take the token elsewhere.
        redirect: 'manual',
        signal: ending.signal,
      });
      return classifyVaultResponse(answer.status, await answer.text(), answer.headers.get('retry-after'));
    } catch (error) {
      const message = `Vault gave no answer${reasonOf(error)}.`;
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
          throw new KeyProviderError('key_provider_closed', 'Vault was closed here.');
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
    // A proxy of Vault can demand it, for a forged request seldom has it.
    'x-vault-request': 'true',
    ...(token === undefined ? {} : { 'x-vault-token': token.reveal() }),
    ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}

/** The code alone: what a client throws may quote a header, and so the token. */
function reasonOf(error: unknown): string {
  let cause = error;
  for (let depth = 0; depth < 5 && typeof cause === 'object' && cause !== null; depth++) {
    const code: unknown = Reflect.get(cause, 'code');
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return `: ${code}`;
    cause = Reflect.get(cause, 'cause');
  }
  return '';
}
