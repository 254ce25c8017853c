import type { ToolOutput } from '@turnpike/contract';
import { OutcomeUnknownError } from '@turnpike/contract';
import {
  cannotReconcile,
  describeFailure,
  explainInexact,
  type GivenInput,
  type PreparedCall,
} from '@turnpike/tools';
import type { CodeTool } from '../define-tool.ts';
import { validate } from '../validate.ts';
import type { CodeParts } from './code-parts.ts';
import { readableError } from './readable-error.ts';
import { readReconciled } from './read-reconciled.ts';
import { readReturn } from './read-return.ts';
import { runCode } from './run-code.ts';

const OLD_INPUT =
  'A call that an earlier version of a tool accepted does not fit its newer schema. It is run with its input as it is.';

/** Checks an input by the tool's own schema. Never throws: what the tool's code throws here is said to the model. */
export async function prepareCall(
  tool: CodeTool,
  given: GivenInput,
  parts: CodeParts,
): Promise<PreparedCall> {
  const inexact = explainInexact(given);
  if (inexact !== null) return { valid: false, explanation: inexact };
  const { name, code, effect, onUnknown, hash } = tool;
  const wasAccepted = given.acceptedBy !== null && given.acceptedBy !== hash;
  let input: unknown;
  try {
    const checked = await validate(code.input, given.value);
    if (!checked.valid && !wasAccepted) {
      return { valid: false, explanation: `The input is not valid: ${checked.issues}` };
    }
    if (!checked.valid) parts.logger.warn(OLD_INPUT, { tool: name });
    // A call that an earlier version of the tool accepted stays valid, whatever a newer schema says.
    input = checked.valid ? checked.value : given.value;
  } catch (error) {
    parts.logger.error("A tool's schema failed.", { tool: name, ...describeFailure(readableError(error)) });
    return { valid: false, explanation: 'The tool could not read its input. Nothing was done.' };
  }
  return {
    valid: true,
    effect,
    onUnknown,
    runsOutside: false,
    // Decided when the model asked for the call.
    needsApproval: given.acceptedBy === null && needsApproval(tool, input, parts),
    hash,
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
    reconcile: (call, context) => {
      if (code.reconcile === null) return cannotReconcile(name);
      return runCode<ToolOutput | null>(
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
      );
    },
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
      ...describeFailure(readableError(error)),
    });
    return true;
  }
}
