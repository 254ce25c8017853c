import { z } from 'zod';

/** What a client may be told about a turn. All but `message.delta` and `step.restarted` are rows. */
export const EVENT_TYPES = [
  'turn.queued',
  'turn.started',
  'step.started',
  'message.delta',
  'step.restarted',
  'tool.started',
  'tool.completed',
  'step.completed',
  'input.added',
  'turn.requires_action',
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
  'turn.incomplete',
] as const;

export const eventTypeSchema = z.enum(EVENT_TYPES);
export type EventType = z.infer<typeof eventTypeSchema>;

/** A fact on its way into the log; its number is given by the row that is written. */
export interface NewEvent {
  id: string;
  type: EventType;
  payload: Record<string, unknown>;
}
