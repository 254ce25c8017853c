import { Anthropic } from '@anthropic-ai/sdk';
import type { UpstreamFetch } from '@turnpike/egress';
import type { BuiltRequest } from './build-request.ts';
import type { ModelLimits } from './limits.ts';
import type { ModelApi, RequestKey } from './model-api.ts';

export const PUBLIC_API = 'https://api.anthropic.com';

/**
 * A Messages API at one address. It has no key: each request brings its own.
 * The SDK has everything set that it would else read from the environment: key, address, log level, tracing. One
 * variable, ANTHROPIC_CUSTOM_HEADERS, it reads in any case; those headers are removed before a request is sent. Its
 * retries are off, since ours are counted, and so is its log, since that quotes requests.
 */
export function connectModelApi(
  baseUrl: string,
  fetch: UpstreamFetch['fetch'],
  limits: Pick<ModelLimits, 'totalTimeoutMs'>,
): ModelApi {
  const client = new Anthropic({
    ...sdkOptions(limits),
    apiKey: 'each-request-brings-its-own',
    baseURL: baseUrl,
    webhookKey: null,
    fetch: (input, init) => fetch(input, { ...init, headers: onlyExpected(init?.headers) }),
  });
  return {
    origin: new URL(baseUrl).origin,
    connect: () => client,
    prepare: (request, key) => ({ body: request.body, headers: requestHeaders(request, key) }),
    countsTokens: true,
    takesBatches: true,
    takesStreams: true,
    streamOverhead: 1,
    explain: (error) => error,
  };
}

/** What the SDK of every provider is told. */
export function sdkOptions({ totalTimeoutMs }: Pick<ModelLimits, 'totalTimeoutMs'>) {
  return { maxRetries: 0, timeout: totalTimeoutMs, logLevel: 'off', openTelemetry: false } as const;
}

/** Headers that override the SDK's own, and those of the environment. */
export function requestHeaders(
  { apiVersion, betas }: Pick<BuiltRequest, 'apiVersion' | 'betas'>,
  { secret, auth }: RequestKey,
): Record<string, string | null> {
  const value = secret === null ? null : secret.reveal();
  return {
    'anthropic-version': apiVersion,
    'anthropic-beta': betas.length === 0 ? null : betas.join(','),
    authorization: auth === 'bearer' && value !== null ? `Bearer ${value}` : null,
    'x-api-key': auth === 'x-api-key' ? value : null,
  };
}

const EXPECTED = new Set([
  'accept',
  'anthropic-beta',
  'anthropic-version',
  'authorization',
  'content-length',
  'content-type',
  'user-agent',
  'x-api-key',
]);

/** Without the headers that somebody set in the environment. */
export function onlyExpected(given: RequestInit['headers']): Record<string, string> {
  const headers = given instanceof Headers ? given : new Headers(given);
  const expected: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (EXPECTED.has(name) || name.startsWith('x-stainless-')) expected[name] = value;
  }
  return expected;
}
