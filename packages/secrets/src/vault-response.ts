import { z } from 'zod';
import { type KeyProviderCode, KeyProviderError } from './errors.ts';

/** A response of Vault. Do not log it: the body may contain a data key. */
export interface VaultResponse {
  status: number;
  /** Parsed JSON; undefined if it is not JSON. */
  body: unknown;
  /** Vault's error messages. They are only inspected, never passed on. */
  errors: readonly string[];
}

/** No response, or one that a retry may change. */
export interface VaultFailure {
  error: KeyProviderError;
  /** Milliseconds that Vault asks to wait before a retry. */
  pauseMs: number;
}

const errorsSchema = z.object({ errors: z.array(z.string()) });

/** Longer delays are not believed. */
const MAX_RETRY_AFTER_S = 3_600;

/**
 * Returns the response, or a failure if a retry may succeed: 3xx (a standby that knows the active node), 408,
 * 412 (not yet replicated), 429 and 5xx.
 */
export function classifyVaultResponse(
  status: number,
  text: string,
  retryAfter: string | null,
): VaultResponse | VaultFailure {
  const body = parseJson(text);
  const errors = errorsSchema.safeParse(body).data?.errors ?? [];
  // Some versions respond with 500 to a ciphertext that cannot be decrypted (hashicorp/vault#10842).
  if (failedToDecrypt(errors)) return { status: 400, body, errors };
  const pauseMs = readSeconds(retryAfter) * 1_000;
  if (status === 503 || (status >= 300 && status < 400)) {
    return failure('key_provider_sealed', `Vault is sealed or a standby (${status}).`, pauseMs);
  }
  if (status >= 500 || status === 408 || status === 412 || status === 429) {
    return failure('key_provider_failed', `Vault responded with ${status}.`, pauseMs);
  }
  return { status, body, errors };
}

function failure(code: KeyProviderCode, message: string, pauseMs: number): VaultFailure {
  return { error: new KeyProviderError(code, message, Math.max(pauseMs, 5_000)), pauseMs };
}

function failedToDecrypt(errors: readonly string[]): boolean {
  return errors.some((error) => error.includes('message authentication failed'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's error would contain the text.
    return undefined;
  }
}

function readSeconds(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Math.min(Number(text), MAX_RETRY_AFTER_S) : 0;
}
