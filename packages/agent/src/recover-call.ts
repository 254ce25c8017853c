import { ModelError } from '@turnpike/contract';
import type { Refusal, RefusedBlock, RefusedParts, StoredMessage, TurnError } from '@turnpike/contract';
import { guessTokens } from './context-window.ts';
import { endTurn } from './end-turn.ts';
import { findRefused } from './find-refused.ts';
import { failedWith, stoppedBy } from './outcome.ts';
import type { TurnLease } from './ports.ts';
import { commit, type Progress } from './progress.ts';
import { isTooLong } from './too-long.ts';
import { stepRestarted } from './turn-events.ts';

/** So often a turn is tried again under one lease without what was refused. */
const MOST_REFUSALS = 20;

/**
 * What becomes of a turn whose model call was refused for what is in it. Where the conversation can do without
 * that, it is left out from now on, and the turn goes on: false. Else the turn has ended: true.
 * Throws any other error as it is.
 */
export async function recoverCall(lease: TurnLease, progress: Progress, error: unknown): Promise<boolean> {
  if (isTooLong(error)) return makeRoom(lease, progress, error);
  if (error instanceof ModelError && error.refused !== undefined) {
    return leaveOut(lease, progress, error, error.refused);
  }
  throw error;
}

/**
 * Has older turns written down, first half of what there is and then all of it, whatever was guessed of its size.
 * A turn that is too long by itself ends.
 */
async function makeRoom(lease: TurnLease, progress: Progress, error: ModelError): Promise<boolean> {
  const { history, messages } = progress;
  if (history.length > 0) {
    const isFirst = progress.windowTokens === null;
    progress.cut = null;
    progress.windowTokens = isFirst ? guessTokens(history) + guessTokens(messages) - 1 : 0;
    return false;
  }
  const failure = errorOf(error, error.code, error.message);
  await endTurn(lease, progress, {
    outcomeOf: (all) => stoppedBy('model_context_window_exceeded', all, failure),
    unanswered: 'The turn ended before an answer came.',
  });
  return true;
}

/**
 * What a client sent for this turn is the turn: it fails, and says what was refused. What a tool brought, or what
 * stands in an older turn, the turn can do without.
 */
async function leaveOut(
  lease: TurnLease,
  progress: Progress,
  error: ModelError,
  parts: RefusedParts,
): Promise<boolean> {
  const { paths, certain } = findRefused(progress, parts);
  if (paths.length === 0) throw error;
  const refusals = paths.map((path) => ({ ...path, certain, reason: error.message }));
  progress.refusalCount += 1;
  const fails =
    refusals.some((refusal) => isOwnInput(progress, refusal)) || progress.refusalCount > MOST_REFUSALS;
  if (!fails) {
    await commit(lease, progress, { refusals, events: [stepRestarted(progress.stepCount)] });
    noteRefusals(progress, refusals);
    progress.cut = null;
    return false;
  }
  const failure: TurnError = {
    ...errorOf(error, 'input_refused', describe(refusals, error.message)),
    refused: refusals.map(({ messageId, ...refusal }) => ({ message_id: messageId, ...blockOf(refusal) })),
  };
  await endTurn(lease, progress, {
    outcomeOf: (messages) => failedWith(failure, messages),
    unanswered: 'The turn failed before an answer came.',
    refusals,
  });
  return true;
}

function errorOf(error: ModelError, code: string, message: string): TurnError {
  const { attempts, providerRequestId } = error;
  return { code, message, retry_status: 'terminal', request_id: providerRequestId, attempts };
}

function isOwnInput({ messages }: Progress, { messageId, blockIndex }: Refusal): boolean {
  const message = messages.find(({ id }) => id === messageId);
  return message?.role === 'user' && message.content[blockIndex]?.type !== 'tool_result';
}

const MOST_NAMED = 5;

function describe(refusals: readonly Refusal[], words: string): string {
  const named = refusals.slice(0, MOST_NAMED).map(({ messageId, blockIndex, itemIndex }) => {
    const item = itemIndex === null ? '' : `item ${itemIndex} of `;
    return `${item}block ${blockIndex} of ${messageId}`;
  });
  const more = refusals.length > MOST_NAMED ? ` and ${refusals.length - MOST_NAMED} more` : '';
  const list = `${named.join(', ')}${more}`;
  return refusals.every(({ certain }) => certain)
    ? `The model API refused ${list}: ${words}`
    : `The model API refused the input without saying which part; most likely ${list}: ${words}`;
}

function blockOf({
  blockIndex,
  itemIndex,
  certain,
}: Omit<Refusal, 'messageId'>): Omit<RefusedBlock, 'reason'> {
  return { block_index: blockIndex, item_index: itemIndex, certain };
}

/** Notes what is left out, here only: it is committed. */
function noteRefusals(progress: Progress, refusals: readonly Refusal[]): void {
  const mark = (message: StoredMessage): StoredMessage => {
    const own = refusals.filter(({ messageId }) => messageId === message.id);
    const blocks = own.map((refusal) => ({ ...blockOf(refusal), reason: refusal.reason }));
    return own.length === 0 ? message : { ...message, refused: [...message.refused, ...blocks] };
  };
  progress.history = progress.history.map(mark);
  progress.messages = progress.messages.map(mark);
}
