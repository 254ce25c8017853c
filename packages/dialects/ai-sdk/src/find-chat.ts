import { ProblemError, type Agent, type Session } from '@turnpike/contract';
import { DEFAULT_AGENT, orNotFound, refused, type UseCases } from '@turnpike/dialect-base';

/** Labels of the session of a chat. The first is what it is found by. */
export const CHAT_ID = 'chat_id';
export const FIRST_MESSAGE_ID = 'first_message_id';
/** Of a fork that the chat went on in: the turn that was made again in it. */
export const MADE_AGAIN = 'made_again';
/** The label of a turn: the id that its client gave to the message. */
export const MESSAGE_ID = 'message_id';

/** Sessions with the label of one chat: more are not looked at. */
const MOST_FORKS = 100;
/** No client's own id begins so. */
const SESSION = 'sess_';

/** Without the id: another tenant's and one of nobody look alike. */
export const noChat = (): ProblemError => new ProblemError('not_found', 'There is no such chat.');

/**
 * The session of a chat: the one that has its id, or the one that was made for it, or the newest fork of that in which the
 * chat made a message again. Null for an id of the client's own
 * that has none yet. Throws `not_found` for the id of a session that is not there.
 */
export async function findChat({ sessions }: UseCases, chatId: string): Promise<Session | null> {
  if (isNamedBySession(chatId)) return orNotFound(sessions.read(chatId), noChat);
  // Any other fork has the labels of its session too: the chat does not go on there.
  const labelled = await sessions.list(
    { metadata: { [CHAT_ID]: chatId } },
    { cursor: null, limit: MOST_FORKS },
  );
  return (
    labelled.find(goesOn) ??
    labelled.findLast(({ forked_from: origin }) => origin === null) ??
    labelled.at(-1) ??
    null
  );
}

/** Whether a chat went on in this fork. Forks of it have its labels, and were forked for something else. */
function goesOn({ metadata, forked_from: origin }: Session): boolean {
  return origin !== null && origin.rerun_of !== null && metadata[MADE_AGAIN] === origin.rerun_of;
}

/** Whether the chat is named by the id of its session, which another session can never have. */
export const isNamedBySession = (chatId: string): boolean => chatId.startsWith(SESSION);

/** The agent that a new chat is with. */
export async function agentFor({ agents }: UseCases, named: string | undefined): Promise<Agent> {
  const agent = await agents.find(named ?? DEFAULT_AGENT);
  if (agent !== null) return agent;
  if (named === undefined)
    throw refused('agent', 'is required, where no agent is named `default`: the id or the name of an agent');
  throw new ProblemError('not_found', 'There is no such agent.');
}

/** The agent of a chat. Throws for a request that names another. */
export async function checkAgent(
  useCases: UseCases,
  { agent_id: agentId }: Session,
  named: string | undefined,
): Promise<string> {
  if (named === undefined || named === agentId) return agentId;
  const agent = await agentFor(useCases, named);
  if (agent.id !== agentId) throw refused('agent', 'is another agent than that of the chat');
  return agentId;
}
