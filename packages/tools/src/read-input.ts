import type { Logger } from '@turnpike/telemetry';
import { describeFailure } from './describe-failure.ts';
import { explainIssues } from './explain-issues.ts';
import type { Tool } from './tool.ts';

export type ReadInput = { valid: true; value: unknown } | { valid: false; explanation: string };

/** The input as parsed by the tool's schema, or an explanation for the model of what is wrong with it. */
export function readInput(tool: Tool, given: unknown, logger: Logger): ReadInput {
  try {
    const parsed = tool.input.safeParse(given);
    if (parsed.success) return { valid: true, value: parsed.data };
    return { valid: false, explanation: explainIssues(parsed.error) };
  } catch (error) {
    logger.error("A tool's schema failed.", { tool: tool.name, ...describeFailure(error) });
    return { valid: false, explanation: 'The tool could not read its input. Nothing was done.' };
  }
}
