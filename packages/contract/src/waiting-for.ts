import { z } from 'zod';
import { idSchema } from './ids.ts';
import { turnStatusSchema } from './statuses.ts';

/** What a queued turn is parked for. */
export const waitingForSchema = z
  .object({
    type: z.literal('child_turns'),
    child_turns: z.array(
      z.object({
        id: idSchema('turn'),
        session_id: idSchema('session'),
        tool_call_id: idSchema('toolCall'),
        status: turnStatusSchema,
      }),
    ),
  })
  .meta({
    id: 'WaitingFor',
    description:
      'What a queued turn is parked for: child turns that have not ended. One in `requires_action` waits for the client.',
  });
export type WaitingFor = z.infer<typeof waitingForSchema>;
