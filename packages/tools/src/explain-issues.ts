import type { z } from 'zod';

const MAX_ISSUES = 20;
const MAX_EXPLANATION = 4_000;

/** An explanation for the model of what is wrong with an input, with paths. */
export function explainIssues(error: z.ZodError): string {
  const issues = error.issues
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`);
  return `Invalid input: ${issues.join('; ')}`.slice(0, MAX_EXPLANATION);
}
