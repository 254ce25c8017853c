import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, invalidRequest } from './api-error.ts';

/** Who asks, and in which version of the API (a date). Throws `ApiError`: 400 without a version, 401 without a good key. */
export function checkHeaders(
  headers: IncomingHttpHeaders,
  allowedKeys: readonly string[] | undefined,
): { apiKey: string; keyHeader: KeyHeader; version: string; betas: string[] } {
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
  return { ...sent, version, betas: betasOf(headers) };
}

/** Those of the Messages API, among the names that the SDK has. */
const BETAS = [
  'code-execution-2025-05-22',
  'compact-2026-01-12',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'extended-cache-ttl-2025-04-11',
  'fast-mode-2026-02-01',
  'files-api-2025-04-14',
  'interleaved-thinking-2025-05-14',
  'model-context-window-exceeded-2025-08-26',
  'output-128k-2025-02-19',
  'output-300k-2026-03-24',
  'skills-2025-10-02',
  'structured-outputs-2025-11-13',
  'task-budgets-2026-03-13',
  'thinking-token-count-2026-05-13',
  'token-efficient-tools-2025-02-19',
];

/** Throws `ApiError` 400 for a name that the API does not know. */
function betasOf(headers: IncomingHttpHeaders): string[] {
  const betas = String(headers['anthropic-beta'] ?? '')
    .split(',')
    .map((beta) => beta.trim())
    .filter((beta) => beta !== '');
  const unknown = betas.filter((beta) => !BETAS.includes(beta));
  if (unknown.length === 0) return betas;
  const named = unknown.map((beta) => `\`${beta}\``).join(', ');
  throw invalidRequest(
    `Unexpected value(s) ${named} for the \`anthropic-beta\` header. Please consult our documentation at docs.anthropic.com or try again without the header.`,
  );
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
