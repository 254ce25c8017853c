import {
  CallDeferredError,
  mayRepeat,
  OutcomeUnknownError,
  TerminalError,
  type ToolOutput,
  type TurnLogger,
} from '@turnpike/contract';
import { boundOutput, describeFailure, hideSecrets, textOutput } from '@turnpike/tools';
import type { CodeTool } from '../define-tool.ts';
import { FailTurnError, RetryLaterError, ToolError, UnknownOutcomeError } from '../tool-error.ts';

/** How often one call may ask to be made again later. */
const MOST_ATTEMPTS = 20;
const LEAST_WAIT_MS = 100;
const MOST_WAIT_MS = 3_600_000;
const MOST_CHARACTERS = 4_000;
/** Of a long message only the beginning is shown. */
const SEARCHED_CHARACTERS = 64_000;

export interface Thrown {
  tool: CodeTool;
  attempt: number;
  /** A durable step that acts once has begun in this run or an earlier one. */
  hasActed: boolean;
  secrets: readonly string[];
  logger: TurnLogger;
}

/**
 * What a tool threw, as an error for the model: its message, without secrets.
 * Throws `CallDeferredError`, `TerminalError` (`tool_failed_turn`) and `OutcomeUnknownError` for the `ToolError` that
 * means it.
 */
export function explainThrown(error: Error, thrown: Thrown): ToolOutput {
  const { tool, attempt, secrets, logger } = thrown;
  const text = messageOf(error);
  const searched = text.slice(0, SEARCHED_CHARACTERS);
  const message = hideSecrets(searched, secrets, searched !== text).slice(0, MOST_CHARACTERS);
  if (error instanceof RetryLaterError && attempt < MOST_ATTEMPTS) {
    logger.info('A tool asked to be called again later.', { after_ms: error.afterMs, attempt });
    throw new CallDeferredError(`${tool.name} asked to be called again later.`, waitOf(error));
  }
  if (error instanceof FailTurnError) throw new TerminalError('tool_failed_turn', message);
  if (error instanceof UnknownOutcomeError && tool.effect !== 'read') {
    logger.warn('A tool does not know whether it took effect.', describeFailure(error));
    throw new OutcomeUnknownError(
      'tool_outcome_unknown',
      `It is not known whether ${tool.name} took effect.`,
    );
  }
  if (error instanceof ToolError) {
    logger.info('A tool ended with an error.', describeFailure(error));
    return asOutput(message);
  }
  logger.warn('A tool failed.', describeFailure(error));
  return asOutput(mayRepeat(tool.effect) && !thrown.hasActed ? message : `${message}\n${MAY_HAVE_ACTED}`);
}

const MAY_HAVE_ACTED = '(It may have taken effect before it failed. Check before you repeat the call.)';

function asOutput(message: string): ToolOutput {
  const output = { content: [{ type: 'text', text: message }], isError: true };
  return (
    boundOutput(output, { maxTextCharacters: 2 * MOST_CHARACTERS, maxMediaCharacters: 1 }) ??
    textOutput('', true)
  );
}

function messageOf(error: Error): string {
  const text = error.message || (error.name === 'Error' ? '' : error.name);
  return text.trim() === '' ? 'The tool failed without a message.' : text;
}

function waitOf({ afterMs }: RetryLaterError): number {
  return Number.isFinite(afterMs) ? Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, afterMs)) : LEAST_WAIT_MS;
}
