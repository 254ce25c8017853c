import type { z } from 'zod';
import type { ValidationIssue } from './errors.ts';

/** Adds these issues to the context of a Zod refinement. */
export function addIssues(issues: readonly ValidationIssue[], context: z.RefinementCtx): void {
  for (const { path, message } of issues) {
    context.addIssue({ code: 'custom', path: path.split('.'), message });
  }
}
