import type { Agent, PushCredentials, Turn } from '@turnpike/contract';
import {
  listToolsCalled,
  readAgent,
  readPushCredentials,
  readTurnOfDelivery,
  type ClaimedDelivery,
  type Database,
  type SecretBox,
} from '@turnpike/store';
import { composeBody } from './compose-body.ts';

/** What is posted to a receiver. */
export interface Message {
  headers: Record<string, string>;
  body: string;
}

/** What is sent to a push configuration of a turn: in the words of its protocol. */
export type ComposeNotification = (turn: Turn, credentials: PushCredentials) => Message;

/** The body of a webhook to an endpoint whose format is OpenAI's. */
export type ComposeOpenAIEvent = (
  event: { id: string; type: string; createdAt: Date },
  subject:
    | { turn: Turn; agent: Agent | null; toolsCalled: readonly (readonly string[])[] }
    | { payload: Record<string, unknown> },
) => string;

export interface ComposerParts {
  database: Database;
  secretBox: SecretBox;
  composeNotification: ComposeNotification;
  composeOpenAIEvent: ComposeOpenAIEvent;
}

const JSON_BODY = { 'content-type': 'application/json' };

/** Null where its turn was erased, or its push configuration removed, meanwhile. */
export async function composeMessage(
  parts: ComposerParts,
  delivery: ClaimedDelivery,
): Promise<Message | null> {
  if (delivery.pushConfigId !== null) return notification(parts, delivery);
  const body =
    delivery.format === 'openai'
      ? await openAIEvent(parts, delivery)
      : await composeBody(parts.database.pool, delivery);
  return body === null ? null : { headers: JSON_BODY, body };
}

async function notification(
  { database, secretBox, composeNotification }: ComposerParts,
  delivery: ClaimedDelivery,
): Promise<Message | null> {
  const credentials = await readPushCredentials(database.pool, secretBox, delivery);
  const read = await readTurnOfDelivery(database.pool, delivery);
  return credentials === null || read === null ? null : composeNotification(read.turn, credentials);
}

async function openAIEvent(
  { database: { pool }, composeOpenAIEvent }: ComposerParts,
  delivery: ClaimedDelivery,
): Promise<string | null> {
  const { eventId: id, type, createdAt, tenantId, payload } = delivery;
  if (delivery.turnId === null) return composeOpenAIEvent({ id, type, createdAt }, { payload });
  const read = await readTurnOfDelivery(pool, delivery);
  if (read === null) return null;
  const { turn } = read;
  const waiting = turn.required_action?.tool_calls.map((call) => call.id) ?? null;
  const [agent, toolsCalled] = await Promise.all([
    readAgent(pool, tenantId, turn.agent_id, turn.agent_version),
    listToolsCalled(pool, turn.id, waiting),
  ]);
  return composeOpenAIEvent({ id, type, createdAt }, { turn, agent, toolsCalled });
}
