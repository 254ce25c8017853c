import { Anthropic } from '@anthropic-ai/sdk';
import { createUpstreamFetch } from '@turnpike/egress';
import type { Secret } from '@turnpike/telemetry';
import type { ModelLimits } from './limits.ts';

export const PUBLIC_API = 'https://api.anthropic.com';

export interface ModelApi {
  client: Anthropic;
  /** Headers of every request that nothing in the environment can replace. */
  headers(apiVersion: string): Record<string, string>;
  close(): Promise<void>;
}

/**
 * The SDK, told everything that it would else look up in the environment: key, address, log level,
 * tracing. One variable, ANTHROPIC_CUSTOM_HEADERS, it reads whatever it is told; those headers are
 * taken out again before a request leaves. Its retries are off, since ours are counted, and so is its
 * log, since that quotes requests.
 */
export function connectModelApi(apiKey: Secret, baseUrl: string | undefined, limits: ModelLimits): ModelApi {
  const upstream = createUpstreamFetch({
    idleTimeoutMs: limits.idleTimeoutMs,
    connectTimeoutMs: limits.connectTimeoutMs,
  });
  const client = new Anthropic({
    apiKey: apiKey.reveal(),
    baseURL: baseUrl ?? PUBLIC_API,
    webhookKey: null,
    maxRetries: 0,
    timeout: limits.totalTimeoutMs,
    logLevel: 'off',
    openTelemetry: false,
    fetch: (input, init) =>
      upstream.fetch(input, { ...init, headers: onlyExpected(new Headers(init?.headers)) }),
  });
  return {
    client,
    headers: (apiVersion) => ({
      authorization: `Bearer ${apiKey.reveal()}`,
      'anthropic-version': apiVersion,
    }),
    close: () => upstream.close(),
  };
}

const EXPECTED = new Set(['accept', 'anthropic-version', 'authorization', 'content-type', 'user-agent']);

function onlyExpected(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => EXPECTED.has(name) || name.startsWith('x-stainless-')),
  );
}
