import { mayRepeat, UNKNOWN_OUTCOME } from '@turnpike/contract';
import type { CompletedStep, ContentBlock, Message, ToolReceipt } from '@turnpike/contract';
import { hasResult, type OpenCall, type Progress } from './progress.ts';
import { unpaidStep } from './unpaid-step.ts';

/**
 * The step that closes a round: the results of all calls, in one user message. A call that has none, since the turn
 * was stopped meanwhile, gets an error with the text `withoutResult`.
 */
export function closeRound(
  progress: Progress,
  durationMs: number,
  withoutResult = '',
): { step: CompletedStep; messages: Message[]; receipts: ToolReceipt[] } {
  const closed = progress.openCalls.map((call) => (hasResult(call) ? call : stopped(call, withoutResult)));
  const step = unpaidStep('tool_calls', durationMs);
  const messages: Message[] = [{ role: 'user', content: closed.map(resultBlock) }];
  return { step, messages, receipts: unrecordedReceipts({ openCalls: closed }) };
}

/** The results that are not in the journal yet. */
export function unrecordedReceipts({ openCalls }: Pick<Progress, 'openCalls'>): ToolReceipt[] {
  return openCalls.flatMap(({ id, status, output, isError, recorded }): ToolReceipt[] => {
    if (recorded || output === null) return [];
    return [{ id, status: status === 'unknown' ? 'unknown' : 'completed', output, isError }];
  });
}

export function unknownReceipt(call: OpenCall): ToolReceipt {
  return {
    id: call.id,
    status: 'unknown',
    output: [{ type: 'text', text: UNKNOWN_OUTCOME }],
    isError: true,
  };
}

function stopped(call: OpenCall, withoutResult: string): OpenCall {
  const mayHaveActed =
    call.status === 'started' && !mayRepeat(call.effect) && (call.sent || !call.startedHere);
  if (mayHaveActed || call.status === 'unknown') return { ...call, ...unknownReceipt(call) };
  return { ...call, status: 'completed', output: [{ type: 'text', text: withoutResult }], isError: true };
}

function resultBlock(call: OpenCall): ContentBlock {
  return {
    type: 'tool_result',
    tool_use_id: call.toolUseId,
    content: call.output ?? [],
    ...(call.isError ? { is_error: true } : {}),
  };
}
