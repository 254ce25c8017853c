import { describeIssues, ProblemError, type ValidationIssue } from '@turnpike/contract';
import type { z } from 'zod';

/** For a request with a field that cannot be taken, named by its path. */
export function refused(path: string, message: string): ProblemError {
  return refusedFor([{ path, message }]);
}

/**
 * What the schema makes of `given`, by the rules of the API's own routes: what a dialect asks for is no more trusted than
 * what they are sent. Throws `invalid_request`; `at` is where in the request `given` stands.
 */
export function parse<Schema extends z.ZodType>(schema: Schema, given: unknown, at = ''): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = describeIssues(parsed.error, given);
  throw refusedFor(issues.map((issue) => ({ ...issue, path: under(at, issue.path) })));
}

const under = (at: string, path: string): string => [at, path].filter((part) => part !== '').join('.');

/** As `refused`, for several fields. */
export function refusedFor(issues: readonly ValidationIssue[]): ProblemError {
  return new ProblemError('invalid_request', 'The request is not valid.', { issues });
}
