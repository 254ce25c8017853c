import { ProblemError, type ValidationIssue } from '@turnpike/contract';

/** Throws `invalid_request` with these issues, if there are any. */
export function throwIssues(issues: readonly ValidationIssue[]): void {
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
}
