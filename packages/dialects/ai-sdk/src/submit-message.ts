import { isFinal, startTurnSchema, submitTurnSchema, type Session } from '@turnpike/contract';
import { parse, refused, type Accepted, type Once, type UseCases } from '@turnpike/dialect-base';
import { z } from 'zod';
import type { ChatRequest, GivenMessage } from './chat-request.ts';
import { agentFor, CHAT_ID, checkAgent, findChat, FIRST_MESSAGE_ID, MESSAGE_ID } from './find-chat.ts';
import { makeAgain, type KnownTurn } from './make-again.ts';
import { toBlocks } from './to-blocks.ts';

/** A message that is older than so many turns is not looked for. */
const NEWEST_TURNS = 100;

const labels = z.record(z.string(), z.string());

/**
 * Submits the message of a user as a turn, once: a message that is posted again gets the turn that it has. With another
 * content it is refused. One that has been responded to is made again where the client asks for that.
 */
export async function submitMessage(
  useCases: UseCases,
  request: ChatRequest,
  message: GivenMessage,
  path: string,
): Promise<Accepted> {
  const session = await findChat(useCases, request.id);
  const agentId =
    session === null
      ? (await agentFor(useCases, request.agent)).id
      : await checkAgent(useCases, session, request.agent);
  const { overrides } = request;
  const given = {
    input: toBlocks(message.parts, `${path}.parts`),
    metadata: { ...labelsOf(message, path), [MESSAGE_ID]: message.id },
    ...(overrides === undefined ? {} : { overrides }),
  };
  const means = { id: message.id, ...given };
  if (session === null) {
    const submission = parse(startTurnSchema, {
      ...given,
      agent_id: agentId,
      session_metadata: { [CHAT_ID]: request.id, [FIRST_MESSAGE_ID]: message.id },
    });
    return useCases.turns.submit({ of: 'new_session', submission }, beginning(request.id, means));
  }
  const once =
    session.metadata[FIRST_MESSAGE_ID] === message.id && session.forked_from === null
      ? beginning(session.metadata[CHAT_ID] ?? request.id, means)
      : { scope: 'ai-sdk message', key: JSON.stringify([session.id, message.id]), means };
  const known = await findTurn(useCases, session, request, message.id);
  if (known !== null) {
    const { turn, isNewest } = known;
    if (request.trigger === 'regenerate-message' && isFinal(turn.status))
      return makeAgain(useCases, session, request, known);
    const replay = await useCases.turns.replay(once);
    if (!isNewest && isFinal(turn.status))
      throw refused(
        'messageId',
        'names a message that has been responded to: fork the session, or rerun the turn with another input, and chat with the fork by its id',
      );
    return replay ?? { turn, stepCount: turn.step_count };
  }
  const submission = parse(submitTurnSchema, given);
  return useCases.turns.submit({ of: 'session', sessionId: session.id, submission }, once);
}

/** A chat begins once: two messages that come at the same time do not begin two. */
const beginning = (chatId: string, means: unknown): Once => ({ scope: 'ai-sdk chat', key: chatId, means });

/** The turn of a message that was submitted before. Only one that is to be made again can be another than the newest. */
async function findTurn(
  { turns }: UseCases,
  session: Session,
  { trigger, messageId }: ChatRequest,
  id: string,
): Promise<KnownTurn | null> {
  const isAskedAgain = trigger === 'regenerate-message' || messageId === id;
  const newest = await turns.list({ sessionId: session.id }, { limit: isAskedAgain ? NEWEST_TURNS : 1 });
  const index = newest.findIndex(({ metadata }) => metadata[MESSAGE_ID] === id);
  const turn = newest[index];
  return turn === undefined ? null : { turn, isNewest: index === 0 };
}

/** A message's metadata are the labels of its turn. */
function labelsOf({ metadata }: GivenMessage, path: string): Record<string, string> {
  if (metadata == null) return {};
  const parsed = labels.safeParse(metadata);
  if (!parsed.success) throw refused(`${path}.metadata`, 'must be strings: they are the labels of the turn');
  return parsed.data;
}
