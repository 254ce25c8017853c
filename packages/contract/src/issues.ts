import type { z } from 'zod';
import type { ValidationIssue } from './errors.ts';

/** Reports these issues of a value, in a refinement of its schema. */
export function addIssues(issues: readonly ValidationIssue[], context: z.RefinementCtx): void {
  for (const { path, message } of issues) {
    context.addIssue({ code: 'custom', path: path.split('.'), message });
  }
}
