import { mayRepeat, UNKNOWN_OUTCOME } from '@turnpike/contract';
import type { CompletedStep, ContentBlock, Message, ToolReceipt } from '@turnpike/contract';
import { isAnswered, type OpenCall, type Progress } from './progress.ts';
import { unpaidStep } from './unpaid-step.ts';

/**
 * The step that closes a round: every call has its answer in one user message. A call that has
 * none, since the turn was stopped meanwhile, is answered with `otherwise`.
 */
export function closeRound(
  progress: Progress,
  durationMs: number,
  otherwise = '',
): { step: CompletedStep; messages: Message[]; receipts: ToolReceipt[] } {
  const closed = progress.openCalls.map((call) => (isAnswered(call) ? call : stopped(call, otherwise)));
  const step = unpaidStep('tool_calls', durationMs);
  const messages: Message[] = [{ role: 'user', content: closed.map(resultBlock) }];
  return { step, messages, receipts: unrecordedReceipts({ openCalls: closed }) };
}

/** Of the calls that have an answer: what the journal does not know yet. */
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

function stopped(call: OpenCall, otherwise: string): OpenCall {
  const mayHaveLeft = call.status === 'started' && !mayRepeat(call.effect) && (call.left || !call.ours);
  if (mayHaveLeft || call.status === 'unknown') return { ...call, ...unknownReceipt(call) };
  return { ...call, status: 'completed', output: [{ type: 'text', text: otherwise }], isError: true };
}

function resultBlock(call: OpenCall): ContentBlock {
  return {
    type: 'tool_result',
    tool_use_id: call.toolUseId,
    content: call.output ?? [],
    ...(call.isError ? { is_error: true } : {}),
  };
}
