import { TurnpikeApiError } from './errors.ts';
import { parseRetryAfter } from './retry-after.ts';

type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const textOr = <Other>(value: unknown, other: Other): string | Other =>
  typeof value === 'string' ? value : other;

/** The error that an answer tells of (RFC 9457), whoever gave it: a proxy's page is no problem document. */
export function readProblem(response: Response, text: string): TurnpikeApiError {
  const { status, headers } = response;
  const problem = parseFields(text);
  const isOurs = typeof problem['code'] === 'string';
  return new TurnpikeApiError({
    status,
    code: isOurs ? textOr(problem['code'], '') : 'unexpected_answer',
    detail: isOurs ? textOr(problem['detail'], '') : 'The answer is not one of the service.',
    requestId: headers.get('x-request-id') ?? textOr(problem['request_id'], null),
    retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()),
    errors: readIssues(problem['errors']),
    blockingTurnId: textOr(problem['blocking_turn_id'], null),
    agentIds: readTexts(problem['agent_ids']),
    oldestCursor: textOr(problem['oldest_cursor'], null),
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

function readTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}

function readIssues(value: unknown): { path: string; message: string }[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter(isFields)
    .map((issue) => ({ path: textOr(issue['path'], ''), message: textOr(issue['message'], '') }));
}
