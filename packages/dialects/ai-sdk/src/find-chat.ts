import { ProblemError, type Agent, type Session } from '@turnpike/contract';
import { DEFAULT_AGENT, orNotFound, refused, type UseCases } from '@turnpike/dialect-base';

/** Labels of the session of a chat. The first is what it is found by. */
export const CHAT_ID = 'chat_id';
export const FIRST_MESSAGE_ID = 'first_message_id';
/** The label of a turn: the id that its client gave to the message. */
export const MESSAGE_ID = 'message_id';

/** Sessions with the label of one chat: more are not looked at. */
const MOST_FORKS = 100;
/** No client's own id begins so. */
const SESSION = 'sess_';

/** Without the id: another tenant's and one of nobody look alike. */
export const noChat = (): ProblemError => new ProblemError('not_found', 'There is no such chat.');

/**
 * The session of a chat: the one that has its id, or the one that was made for it. Null for an id of the client's own
 * that has none yet. Throws `not_found` for the id of a session that is not there.
 */
export async function findChat({ sessions }: UseCases, chatId: string): Promise<Session | null> {
  if (chatId.startsWith(SESSION)) return orNotFound(sessions.read(chatId), noChat);
  // A fork has the labels of its session: the chat stays where it began.
  const labelled = await sessions.list(
    { metadata: { [CHAT_ID]: chatId } },
    { cursor: null, limit: MOST_FORKS },
  );
  return labelled.findLast(({ forked_from: origin }) => origin === null) ?? labelled.at(-1) ?? null;
}

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
