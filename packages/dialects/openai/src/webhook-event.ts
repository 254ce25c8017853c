import { WEBHOOK_EVENT_TYPES, type Agent, type Turn, type WebhookEventType } from '@turnpike/contract';
import { z } from 'zod';
import { responseId } from './ids.ts';
import { sourceOf } from './response.ts';

/**
 * OpenAI's words for our events. A turn that waits for outputs of the client's functions is a response that is complete;
 * of what else a turn can wait for, OpenAI knows nothing.
 */
const OPENAI_TYPES: Partial<Record<WebhookEventType, string>> = {
  'turn.requires_action': 'response.completed',
  'turn.completed': 'response.completed',
  'turn.failed': 'response.failed',
  'turn.cancelled': 'response.cancelled',
  'turn.incomplete': 'response.incomplete',
  'batch.completed': 'batch.completed',
  'batch.cancelled': 'batch.cancelled',
};

/** The events that an endpoint in OpenAI's format can have. */
export const OPENAI_WEBHOOK_EVENTS: readonly WebhookEventType[] = WEBHOOK_EVENT_TYPES.filter(
  (type) => OPENAI_TYPES[type] !== undefined,
);

interface EventHead {
  id: string;
  /** Ours. */
  type: string;
  createdAt: Date;
}

/** What an event tells of: a turn as it was then, or something else that has an id. */
export type EventSubject =
  | {
      turn: Turn;
      /** At the turn's version; null where it was deleted. */
      agent: Agent | null;
      /** The names of the tools that each model call of the turn had asked for by then. */
      toolsCalled: readonly (readonly string[])[];
    }
  | { payload: Record<string, unknown> };

/** The body of a webhook as OpenAI sends it: `{ id, object: "event", type, created_at, data: { id } }`. */
export function composeWebhookEvent({ id, type, createdAt }: EventHead, subject: EventSubject): string {
  const told = WEBHOOK_EVENT_TYPES.find((known) => known === type);
  return JSON.stringify({
    id,
    object: 'event',
    type: (told && OPENAI_TYPES[told]) ?? type,
    created_at: Math.floor(createdAt.getTime() / 1000),
    data: { id: idOf(subject) },
  });
}

const namedSchema = z.union([
  z.object({ batch: z.object({ id: z.string() }) }).transform(({ batch }) => batch.id),
  z.object({ webhook_endpoint: z.object({ id: z.string() }) }).transform(({ webhook_endpoint: at }) => at.id),
]);

/** Of the response: the part of the turn that ended with this event. */
function idOf(subject: EventSubject): string {
  if ('payload' in subject) return namedSchema.parse(subject.payload);
  const { turn, agent, toolsCalled } = subject;
  const { clientTools } = sourceOf(turn, agent);
  const complete = toolsCalled.filter((names) => names.some((name) => clientTools.has(name))).length;
  const part = turn.status === 'requires_action' ? Math.max(complete - 1, 0) : complete;
  return responseId({ turnId: turn.id, part });
}
