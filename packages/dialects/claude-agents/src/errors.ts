import { ProblemError, type Problem } from '@turnpike/contract';

/** What the SDK calls an error of this HTTP status. */
function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 402) return 'billing_error';
  if (status === 403) return 'permission_error';
  if (status === 404) return 'not_found_error';
  if (status === 413) return 'request_too_large';
  if (status === 429) return 'rate_limit_error';
  if (status === 503) return 'overloaded_error';
  return status >= 500 ? 'api_error' : 'invalid_request_error';
}

/** An error as Anthropic's SDK reads it. The problem's own members stand beside it, but for its `type`. */
export function errorOf({ status, detail, errors = [], request_id: requestId }: Problem): {
  type: 'error';
  error: { type: string; message: string };
  request_id: string;
} {
  const said = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const message = said.length === 0 ? detail : `${detail} ${said.join('; ')}`;
  return { type: 'error', error: { type: typeOf(status), message }, request_id: requestId };
}

/** Runs `work`; the paths of what it refuses are those of the client's request. */
export function inTheirWords<Result>(toTheirs: (path: string) => string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw translated(error, toTheirs);
  }
}

/** As `inTheirWords`. */
export async function laterInTheirWords<Result>(
  toTheirs: (path: string) => string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw translated(error, toTheirs);
  }
}

function translated(error: unknown, toTheirs: (path: string) => string): unknown {
  if (!(error instanceof ProblemError) || error.issues === undefined) return error;
  const issues = error.issues.map(({ path, message }) => ({ path: toTheirs(path), message }));
  return new ProblemError(error.code, error.message, { issues });
}
