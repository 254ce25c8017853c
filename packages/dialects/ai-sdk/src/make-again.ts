import {
  ProblemError,
  rerunTurnSchema,
  type RerunPreview,
  type Session,
  type Turn,
} from '@turnpike/contract';
import { parse, refused, type Accepted, type UseCases } from '@turnpike/dialect-base';
import type { ChatRequest } from './chat-request.ts';
import { CHAT_ID, isNamedBySession, MADE_AGAIN } from './find-chat.ts';
import { openTurnOf } from './follow-turn.ts';

/** The turn of a message that was submitted before. */
export interface KnownTurn {
  turn: Turn;
  isNewest: boolean;
}

/** Tool calls may happen again, and the client has not said that they may. */
export class NotConfirmed extends ProblemError {
  readonly confirmation: string;

  constructor({ tool_calls: calls, tool_call_count: count, confirmation }: RerunPreview) {
    const names = [...new Set(calls.map(({ name, effect }) => `${name} (${effect})`))];
    const what = count === 1 ? 'A tool call' : `${count} tool calls`;
    super(
      'rerun_not_confirmed',
      `${what} of this answer may happen again: ${names.join(', ')}. Send the \`confirmation\` of this response to make it again anyway.`,
    );
    this.confirmation = confirmation;
  }
}

/**
 * Makes a turn that has ended again, in a fork without what came after it. The fork has the label of the chat, and one
 * that tells it from other forks: from then on the chat's id names it. Asked for at the same time, it is made once.
 */
export async function makeAgain(
  useCases: UseCases,
  session: Session,
  { id, messageId, overrides, confirmation }: ChatRequest,
  { turn, isNewest }: KnownTurn,
): Promise<Accepted> {
  if (isNamedBySession(id))
    throw refused(
      'trigger',
      'makes a message again in a fork, which the id of this session cannot name: rerun the turn, and chat with the fork by its id',
    );
  // A client that lost the response asks again with what it has: the message that is made again here.
  if (isNewest && messageId != null && messageId === session.metadata[MADE_AGAIN])
    return { turn, stepCount: turn.step_count };
  if ((await openTurnOf(useCases, session.id)) !== null)
    throw new ProblemError('turn_not_ended', 'A later turn of this chat has not ended: stop it first.');
  const preview = await useCases.turns.previewRerun(turn.id);
  if (preview.tool_call_count > 0 && confirmation !== preview.confirmation) throw new NotConfirmed(preview);
  const submission = parse(rerunTurnSchema, {
    session_metadata: { ...session.metadata, [CHAT_ID]: id, [MADE_AGAIN]: turn.id },
    ...(overrides === undefined ? {} : { overrides }),
    confirmation: preview.confirmation,
  });
  return useCases.turns.submit(
    { of: 'rerun', turnId: turn.id, submission },
    {
      scope: 'ai-sdk message again',
      key: JSON.stringify([turn.id]),
      means: { overrides: overrides ?? null },
    },
  );
}
