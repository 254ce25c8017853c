import { z } from 'zod';
import { none } from './common.ts';

/** The 26 characters after the prefix of the id of a tool call. */
const UNIQUE = '[0-7][0123456789abcdefghjkmnpqrstvwxyz]{25}';

/** The event of a tool call has the id of the call with another prefix. */
const callEventId = z
  .string()
  .regex(new RegExp(`^sevt_${UNIQUE}$`), 'must be the id of an event of a tool call')
  .meta({ example: 'sevt_01kapjt9e8f7ga5vxq3c2m4n6r' });
export const callIdOf = (eventId: string): string => eventId.replace(/^sevt_/, 'call_');

const blocks = z
  .array(z.looseObject({ type: z.string() }))
  .max(100)
  .meta({ description: 'Blocks of text, images and documents.' });

export const userMessageParams = z.strictObject({ type: z.literal('user.message'), content: blocks.min(1) });

const thread = none('a session is one thread');
const interruptParams = z.strictObject({ type: z.literal('user.interrupt'), session_thread_id: thread });
const resultParams = z.strictObject({
  type: z.literal('user.custom_tool_result'),
  custom_tool_use_id: callEventId,
  content: blocks.optional(),
  is_error: z.boolean().nullish(),
});
const confirmationParams = z.strictObject({
  type: z.literal('user.tool_confirmation'),
  tool_use_id: callEventId,
  result: z.enum(['allow', 'deny']),
  deny_message: z.string().max(10_000).nullish(),
});

const eventParams = z.discriminatedUnion('type', [
  userMessageParams,
  interruptParams,
  resultParams,
  confirmationParams,
]);
export type EventParams = z.output<typeof eventParams>;
export type UserMessageParams = z.output<typeof userMessageParams>;

export const sendParams = z
  .strictObject({ events: z.array(eventParams).min(1).max(128) })
  .meta({ id: 'ClaudeSendEvents' });
