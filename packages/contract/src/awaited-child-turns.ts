import { z } from 'zod';
import { idSchema } from './ids.ts';
import { turnStatusSchema } from './statuses.ts';

/** The open child turns of a parked turn. */
export const awaitedChildTurnsSchema = z
  .array(
    z
      .object({
        id: idSchema('turn'),
        session_id: idSchema('session'),
        tool_call_id: idSchema('toolCall'),
        status: turnStatusSchema,
      })
      .meta({ id: 'AwaitedChildTurn', description: 'A child turn that its parent waits for.' }),
  )
  .meta({
    description:
      'The child turns that a queued turn is parked for. One in `requires_action` waits for the client. Null for any other turn.',
  });
