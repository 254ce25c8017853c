import { ModelError } from '@turnpike/contract';
import type { Refusal, RefusedBlock, RefusedParts, StoredMessage, TurnError } from '@turnpike/contract';
import { commit } from './commit.ts';
import { estimateSize } from './context-window.ts';
import { endTurn } from './end-turn.ts';
import { findRefused } from './find-refused.ts';
import { failedWith, stoppedBy } from './outcome.ts';
import type { Progress } from './progress.ts';
import { isTooLong } from './too-long.ts';
import { stepRestarted } from './turn-events.ts';
import type { TurnRun } from './turn-run.ts';

/** How often a turn is tried again under one lease, each time without what was refused. */
const MAX_REFUSALS = 20;

/**
 * Handles the error of a model call that was refused for its contents. Returns false where the contents in question
 * are excluded from now on, and the turn goes on; true where the turn has ended.
 * Throws any other error as it is.
 */
export async function recoverCall(run: TurnRun, error: unknown): Promise<boolean> {
  if (isTooLong(error)) return shrinkWindow(run, error);
  if (error instanceof ModelError && error.refused !== undefined) {
    return excludeRefused(run, error, error.refused);
  }
  throw error;
}

/**
 * Has older turns summarized, first half of the conversation and then all of it, whatever its estimated size.
 * A turn that is too long by itself ends.
 */
async function shrinkWindow(run: TurnRun, error: ModelError): Promise<boolean> {
  const { progress } = run;
  if (progress.history.length > 0) {
    const isFirst = progress.windowTokens === null;
    progress.partial = null;
    progress.windowTokens = isFirst ? estimateSize(progress) - 1 : 0;
    return false;
  }
  const failure = turnError(error, error.code, error.message);
  await endTurn(run, {
    outcomeOf: (all) => stoppedBy('model_context_window_exceeded', all, failure),
    withoutResult: 'The turn ended before this call had a result.',
  });
  return true;
}

/**
 * A turn whose own input was refused fails, and says what was refused. It can go on without the result of a tool, or
 * a block of an older turn.
 */
async function excludeRefused(run: TurnRun, error: ModelError, parts: RefusedParts): Promise<boolean> {
  const { progress } = run;
  const { paths, certain } = findRefused(progress, parts);
  if (paths.length === 0) throw error;
  const refusals = paths.map((path) => ({ ...path, certain, reason: error.message }));
  progress.refusalCount += 1;
  const fails =
    refusals.some((refusal) => isOwnInput(progress, refusal)) || progress.refusalCount > MAX_REFUSALS;
  if (!fails) {
    await commit(run, { refusals, events: [stepRestarted(progress.stepCount)] });
    markRefused(progress, refusals);
    progress.partial = null;
    return false;
  }
  const failure: TurnError = {
    ...turnError(error, 'input_refused', describe(refusals, error.message)),
    refused: refusals.map(({ messageId, ...refusal }) => ({ message_id: messageId, ...blockOf(refusal) })),
  };
  await endTurn(run, {
    outcomeOf: (messages) => failedWith(failure, messages),
    withoutResult: 'The turn failed before this call had a result.',
    refusals,
  });
  return true;
}

function turnError(error: ModelError, code: string, message: string): TurnError {
  const { attempts, providerRequestId } = error;
  return { code, message, retry_status: 'terminal', request_id: providerRequestId, attempts };
}

function isOwnInput({ messages }: Progress, { messageId, blockIndex }: Refusal): boolean {
  const message = messages.find(({ id }) => id === messageId);
  return message?.role === 'user' && message.content[blockIndex]?.type !== 'tool_result';
}

const MAX_NAMED = 5;

function describe(refusals: readonly Refusal[], reason: string): string {
  const named = refusals.slice(0, MAX_NAMED).map(({ messageId, blockIndex, itemIndex }) => {
    const item = itemIndex === null ? '' : `item ${itemIndex} of `;
    return `${item}block ${blockIndex} of ${messageId}`;
  });
  const more = refusals.length > MAX_NAMED ? ` and ${refusals.length - MAX_NAMED} more` : '';
  const list = `${named.join(', ')}${more}`;
  return refusals.every(({ certain }) => certain)
    ? `The model API refused ${list}: ${reason}`
    : `The model API refused the input without saying which part; most likely ${list}: ${reason}`;
}

function blockOf({
  blockIndex,
  itemIndex,
  certain,
}: Omit<Refusal, 'messageId'>): Omit<RefusedBlock, 'reason'> {
  return { block_index: blockIndex, item_index: itemIndex, certain };
}

/** Marks blocks as refused, here only: that is committed already. */
function markRefused(progress: Progress, refusals: readonly Refusal[]): void {
  const mark = (message: StoredMessage): StoredMessage => {
    const own = refusals.filter(({ messageId }) => messageId === message.id);
    const blocks = own.map((refusal) => ({ ...blockOf(refusal), reason: refusal.reason }));
    return own.length === 0 ? message : { ...message, refused: [...message.refused, ...blocks] };
  };
  progress.history = progress.history.map(mark);
  progress.messages = progress.messages.map(mark);
}
