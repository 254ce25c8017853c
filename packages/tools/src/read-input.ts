import type { Logger } from '@turnpike/telemetry';
import { describeFailure } from './describe-failure.ts';
import type { Tool } from './tool.ts';

export type ReadInput = { valid: true; value: unknown } | { valid: false; explanation: string };

const MAX_ISSUES = 20;
const MAX_EXPLANATION = 4_000;

/** The model's words as the tool's schema reads them, or what is wrong with them, told to the model. */
export function readInput(tool: Tool, given: unknown, logger: Logger): ReadInput {
  try {
    const parsed = tool.input.safeParse(given);
    if (parsed.success) return { valid: true, value: parsed.data };
    const issues = parsed.error.issues
      .slice(0, MAX_ISSUES)
      .map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`);
    return { valid: false, explanation: `Invalid input: ${issues.join('; ')}`.slice(0, MAX_EXPLANATION) };
  } catch (error) {
    logger.error("A tool's schema failed.", { tool: tool.name, ...describeFailure(error) });
    return { valid: false, explanation: 'The tool could not read its input. Nothing was done.' };
  }
}
