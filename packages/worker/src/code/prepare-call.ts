import type { ToolOutput } from '@turnpike/contract';
import { OutcomeUnknownError } from '@turnpike/contract';
import { describeFailure, explainInexact, type GivenInput, type PreparedCall } from '@turnpike/tools';
import type { CodeTool } from '../define-tool.ts';
import { validate } from '../validate.ts';
import type { CodeParts } from './code-parts.ts';
import { readReconciled } from './read-reconciled.ts';
import { readReturn } from './read-return.ts';
import { runCode } from './run-code.ts';

/** Checks an input by the tool's own schema. Never throws: what the tool's code throws here is said to the model. */
export async function prepareCall(
  tool: CodeTool,
  given: GivenInput,
  parts: CodeParts,
): Promise<PreparedCall> {
  const inexact = explainInexact(given);
  if (inexact !== null) return { valid: false, explanation: inexact };
  const { name, code, effect, onUnknown } = tool;
  let input: unknown;
  try {
    const checked = await validate(code.input, given.value);
    if (!checked.valid) return { valid: false, explanation: `The input is not valid: ${checked.issues}` };
    input = checked.value;
  } catch (error) {
    parts.logger.error("A tool's schema failed.", { tool: name, ...describeFailure(error) });
    return { valid: false, explanation: 'The tool could not read its input. Nothing was done.' };
  }
  return {
    valid: true,
    effect,
    onUnknown,
    runsOutside: false,
    needsApproval: needsApproval(tool, input, parts),
    run: (call, context) =>
      runCode<ToolOutput>(
        { tool, call, context, parts },
        {
          isReconcile: false,
          work: (toolCall, endSignal) =>
            tool.isolate === null
              ? code.run(input, toolCall)
              : parts.isolated.run(tool, 'run', given.value, toolCall, endSignal),
          read: (returned, secrets) => readReturn(tool, returned, secrets, context.logger),
          failed: (output) => output,
        },
      ),
    reconcile: (call, context) =>
      runCode<ToolOutput | null>(
        { tool, call, context, parts },
        {
          isReconcile: true,
          work: (toolCall, endSignal) =>
            tool.isolate === null
              ? code.reconcile?.(input, toolCall)
              : parts.isolated.run(tool, 'reconcile', given.value, toolCall, endSignal),
          read: (found, secrets) => readReconciled(tool, found, secrets, context.logger),
          failed: () => {
            throw new OutcomeUnknownError('reconcile_failed', `${name} could not say how the call ended.`);
          },
        },
      ),
  };
}

/** A rule that fails lets a person decide. */
function needsApproval({ name, code }: CodeTool, input: unknown, { logger }: CodeParts): boolean {
  try {
    const asks: unknown = code.needsApproval(input);
    return asks !== false;
  } catch (error) {
    logger.error('The approval rule of a tool failed; a person is asked.', {
      tool: name,
      ...describeFailure(error),
    });
    return true;
  }
}
