import { OutcomeUnknownError, type ToolOutput, type TurnLogger } from '@turnpike/contract';
import { z } from 'zod';
import type { CodeTool } from '../define-tool.ts';
import { readReturn } from './read-return.ts';

const reconciledSchema = z.discriminatedUnion('outcome', [
  z.looseObject({ outcome: z.literal('done'), output: z.unknown() }),
  z.looseObject({ outcome: z.literal('not_done') }),
  z.looseObject({ outcome: z.literal('unknown') }),
]);

/** What `reconcile` found; null where the call never acted. Throws `OutcomeUnknownError`. */
export async function readReconciled(
  tool: CodeTool,
  found: unknown,
  secrets: readonly string[],
  logger: TurnLogger,
): Promise<ToolOutput | null> {
  const reconciled = reconciledSchema.safeParse(found);
  if (!reconciled.success) logger.error("A tool's reconcile returned no outcome.");
  if (!reconciled.success || reconciled.data.outcome === 'unknown') {
    throw new OutcomeUnknownError('reconcile_failed', `${tool.name} cannot say how the call ended.`);
  }
  if (reconciled.data.outcome === 'not_done') return null;
  return readReturn(tool, reconciled.data.output, secrets, logger);
}
