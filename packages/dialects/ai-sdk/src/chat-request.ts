import { idSchema, turnOverridesSchema } from '@turnpike/contract';
import { z } from 'zod';

const MOST_MESSAGES = 10_000;
const MOST_PARTS = 1_000;

/** An id that the client chose, or that of a session. */
export const chatIdSchema = z.string().min(1).max(200).meta({
  description: 'The id of the chat, as the client chose it; or the id of a session.',
});

const partSchema = z
  .looseObject({ type: z.string().min(1).max(200) })
  .meta({ description: 'A part of a message, as the client has it.' });

const messageSchema = z
  .looseObject({
    id: z.string().min(1).max(200),
    role: z.enum(
      ['user', 'assistant'],
      'must be `user` or `assistant`: the system prompt is that of the agent',
    ),
    parts: z.array(partSchema).max(MOST_PARTS),
  })
  .meta({ description: 'A UIMessage.' });
export type GivenMessage = z.output<typeof messageSchema>;
export type GivenPart = z.output<typeof partSchema>;

/** The body of `POST /ai/chat`: what the client's transport sends, and what an application adds to it. */
export const chatRequestSchema = z
  .strictObject({
    id: chatIdSchema,
    messages: z.array(messageSchema).min(1).max(MOST_MESSAGES).meta({
      description:
        'The conversation as the client has it. Only the message that is submitted, or answered with, is read.',
    }),
    trigger: z.enum(['submit-message', 'regenerate-message']).optional(),
    messageId: z.string().min(1).max(200).nullish(),
    agent: z
      .union([idSchema('agent'), z.string().min(1).max(200)])
      .optional()
      .meta({
        description: 'The agent of a new chat, by its id or its name. Default: the agent named `default`.',
      }),
    overrides: turnOverridesSchema.optional(),
    confirmation: z.string().max(100).optional().meta({
      description:
        'With `regenerate-message`: the `confirmation` of the refusal that named what may happen again.',
    }),
    tool_outputs: z
      .array(z.looseObject({ tool_call_id: idSchema('toolCall') }))
      .max(128)
      .optional()
      .meta({
        description:
          'With an answered message: outputs as `POST /v1/turns/{turn_id}/tool_outputs` takes them, in place of what its parts say.',
      }),
  })
  .meta({ id: 'AiSdkChat', description: "What the AI SDK's transport of chats sends." });
export type ChatRequest = z.output<typeof chatRequestSchema>;

/** The message that a request is about, and where it stands. */
export function targetOf({ messages, trigger, messageId }: ChatRequest): {
  message: GivenMessage;
  path: string;
} | null {
  const named = messages.findIndex(({ id, role }) => id === messageId && role === 'assistant');
  const index = named !== -1 && trigger !== 'regenerate-message' ? named : messages.length - 1;
  const message = messages[index];
  return message === undefined ? null : { message, path: `messages.${index}` };
}
