import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, invalidRequest } from './api-error.ts';

/** Who asks, and in which version of the API (a date). Throws `ApiError`: 400 without a version, 401 without a good key. */
export function checkHeaders(
  headers: IncomingHttpHeaders,
  allowedKeys: readonly string[] | undefined,
): { apiKey: string; keyHeader: KeyHeader; version: string } {
  const version = headers['anthropic-version'];
  if (version === undefined) throw invalidRequest('anthropic-version: header is required');
  if (typeof version !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(version)) {
    throw invalidRequest(`anthropic-version: "${String(version)}" is not a valid version`);
  }
  const sent = apiKeyOf(headers);
  if (sent === undefined) throw new ApiError(401, 'x-api-key header is required');
  const { apiKey } = sent;
  if (allowedKeys !== undefined && !allowedKeys.includes(apiKey))
    throw new ApiError(401, 'invalid x-api-key');
  return { ...sent, version };
}

/** The real API takes a key in either. */
export type KeyHeader = 'x-api-key' | 'authorization';

function apiKeyOf(headers: IncomingHttpHeaders): { apiKey: string; keyHeader: KeyHeader } | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return { apiKey: key, keyHeader: 'x-api-key' };
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  return bearer === undefined ? undefined : { apiKey: bearer, keyHeader: 'authorization' };
}

/** Throws `ApiError` 400 for a body that does not say that it is JSON. */
export function checkContentType(headers: IncomingHttpHeaders): void {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw invalidRequest('content-type: must be application/json');
}
