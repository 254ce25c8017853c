import type { Problem } from '@turnpike/contract';

/** The request's name of what a turn overrides. */
const PARAMS: Record<string, string> = {
  system: 'instructions',
  max_tokens: 'max_output_tokens',
  effort: 'reasoning.effort',
  thinking: 'reasoning.effort',
  output_format: 'text.format',
  model_metadata: 'safety_identifier',
};

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 402) return 'insufficient_quota';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

function paramOf(path: string): string {
  const [first, field = '', ...rest] = path.split('.');
  if (first !== 'overrides') return path;
  return [PARAMS[field] ?? field, ...rest].join('.');
}

/**
 * An error as the `openai` package reads it: `{ error: { message, type, param, code } }`. The code is the problem's.
 * With several issues, `param` is the first one's, and the message has all. It is never null, as OpenAI's may be: the
 * client of Open Responses then reads nothing of an error.
 */
export function errorOf({ status, code, detail, errors = [] }: Problem): { error: object } {
  const issues = errors.map(({ path, message }) => ({ param: paramOf(path), message }));
  const said = issues.map(({ param, message }) => (param === '' ? message : `${param}: ${message}`));
  const message = said.length === 0 ? detail : `${detail} ${said.join('; ')}`;
  return { error: { message, type: typeOf(status), param: issues[0]?.param ?? '', code } };
}
