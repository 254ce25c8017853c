import { TurnpikeApiError } from './errors.ts';
import { parseRetryAfter } from './retry-after.ts';

type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const stringOr = <Other>(value: unknown, other: Other): string | Other =>
  typeof value === 'string' ? value : other;

/** The error of a response (RFC 9457). The response may also come from a proxy, without a problem document. */
export function readProblem(response: Response, text: string): TurnpikeApiError {
  const { status, headers } = response;
  const problem = parseFields(text);
  const isOurs = typeof problem['code'] === 'string';
  return new TurnpikeApiError({
    status,
    code: isOurs ? stringOr(problem['code'], '') : 'unexpected_answer',
    detail: isOurs ? stringOr(problem['detail'], '') : 'The response is not from the service.',
    requestId: headers.get('x-request-id') ?? stringOr(problem['request_id'], null),
    retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()),
    errors: readIssues(problem['errors']),
    blockingTurnId: stringOr(problem['blocking_turn_id'], null),
    agentIds: readStrings(problem['agent_ids']),
    oldestCursor: stringOr(problem['oldest_cursor'], null),
  });
}

function parseFields(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : {};
  } catch {
    return {};
  }
}

function readStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function readIssues(value: unknown): { path: string; message: string }[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter(isFields)
    .map((issue) => ({ path: stringOr(issue['path'], ''), message: stringOr(issue['message'], '') }));
}
