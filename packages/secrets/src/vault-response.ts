import { z } from 'zod';
import { type KeyProviderCode, KeyProviderError } from './errors.ts';

/** Only what was written to be read: a body may hold a data key. */
export interface VaultResponse {
  status: number;
  /** Parsed JSON, undefined where there is none. */
  body: unknown;
  /** Vault's own words for what went wrong. Never passed on: they are only looked at. */
  errors: readonly string[];
}

/** No answer, or one that may be another when asked again. */
export interface VaultFailure {
  error: KeyProviderError;
  /** Milliseconds that Vault asks to be left alone for. */
  pauseMs: number;
}

const errorsSchema = z.object({ errors: z.array(z.string()) });

/** Longer than this is not believed. */
const MAX_RETRY_AFTER_S = 3_600;

/**
 * The answer, or a failure where asking again may bring another one: 3xx (a standby that knows the active
 * node), 408, 412 (not yet replicated), 429 and 5xx.
 */
export function classifyVaultResponse(
  status: number,
  text: string,
  retryAfter: string | null,
): VaultResponse | VaultFailure {
  const body = parseJson(text);
  const errors = errorsSchema.safeParse(body).data?.errors ?? [];
  // Some versions say 500 for a ciphertext that does not open (hashicorp/vault#10842).
  if (failedToOpen(errors)) return { status: 400, body, errors };
  const pauseMs = readSeconds(retryAfter) * 1_000;
  if (status === 503 || (status >= 300 && status < 400)) {
    return failure('key_provider_sealed', `Vault is sealed or a standby (${status}).`, pauseMs);
  }
  if (status >= 500 || status === 408 || status === 412 || status === 429) {
    return failure('key_provider_failed', `Vault answered ${status}.`, pauseMs);
  }
  return { status, body, errors };
}

function failure(code: KeyProviderCode, message: string, pauseMs: number): VaultFailure {
  return { error: new KeyProviderError(code, message, Math.max(pauseMs, 5_000)), pauseMs };
}

function failedToOpen(errors: readonly string[]): boolean {
  return errors.some((error) => error.includes('message authentication failed'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of the parser quotes the text.
    return undefined;
  }
}

function readSeconds(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Math.min(Number(text), MAX_RETRY_AFTER_S) : 0;
}
