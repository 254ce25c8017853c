import { newId } from '@turnpike/contract';
import type { NewTurn } from '@turnpike/store';

/** A turn to be stored, of a session of its own where none is named. */
export const newTurn = (tenantId: string, sessionId = newId('session'), text = 'Hello.'): NewTurn => ({
  id: newId('turn'),
  tenantId,
  sessionId,
  messageId: newId('message'),
  eventId: newId('event'),
  input: [{ type: 'text', text }],
  submitted: { metadata: { text } },
  deadlineMs: 60_000,
});
