import { idSchema, type Turn } from '@turnpike/contract';
import {
  defineDialectRoute,
  refused,
  STREAM_PROBLEMS,
  SUBMIT_PROBLEMS,
  takesNoStream,
  type DialectResult,
  type DialectRoute,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { answerTurn } from './answer-turn.ts';
import { chatIdSchema, chatRequestSchema, targetOf } from './chat-request.ts';
import { findChat } from './find-chat.ts';
import { followTurn, openTurnOf, openTurnsOf, type Wait } from './follow-turn.ts';
import { messagesOfTurn, type ShownMessage } from './history.ts';
import { submitMessage } from './submit-message.ts';

const none = z.object({});
const params = z.object({ chat_id: chatIdSchema });
const AGENT = 'agent_01kapjt9e8f7ga5vxq3c2m4n6r';
/** A page ends with the turn that passes this. */
const MOST_BYTES = 8 * 1024 * 1024;

const STREAM = 'A UI message stream (v1) as server-sent events.';

const messageShown = z
  .looseObject({
    id: z.string(),
    role: z.enum(['user', 'assistant']),
    parts: z.array(z.looseObject({ type: z.string() })),
  })
  .meta({ id: 'AiSdkMessage', description: 'A UIMessage of the AI SDK.' });

export const chatRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/ai/chat',
    operationId: 'aiSdkChat',
    summary: 'Send a message of a chat, or respond to what a turn waits for, as the AI SDK does',
    description:
      'Submits the last message of a user as a turn, or answers a turn with the responses in its message, and streams the turn; with `Accept: application/json` it names the turn alone. A client that disconnects does not stop it.',
    scope: 'turns:write',
    noAct: 'the work itself, in the journal',
    keepsKey: true,
    params: none,
    query: none,
    body: chatRequestSchema,
    examples: {
      first: {
        value: {
          id: 'chat-of-the-example',
          agent: AGENT,
          trigger: 'submit-message',
          messages: [
            {
              id: 'message-1',
              role: 'user',
              parts: [{ type: 'text', text: 'What time is it in Lisbon?' }],
            },
          ],
        },
      },
    },
    response: {
      status: 200,
      description: 'The turn that was submitted or answered.',
      schema: z.object({ id: z.string(), turn: z.object({ id: idSchema('turn'), status: z.string() }) }),
      stream: STREAM,
    },
    problems: [...SUBMIT_PROBLEMS, ...STREAM_PROBLEMS, 'rerun_not_confirmed', 'not_resumable'],
    async handle({ body, origin, header }, useCases): Promise<DialectResult> {
      const show = (turn: Turn, after?: Wait): DialectResult | Promise<DialectResult> =>
        takesNoStream(header('accept'))
          ? { status: 200, body: { id: body.id, turn: { id: turn.id, status: turn.status } } }
          : followTurn(useCases, turn.id, origin, after);
      const target = targetOf(body);
      if (target === null) throw refused('messages', 'must have a message');
      const { message, path } = target;
      if (message.role === 'assistant') {
        if (body.trigger === 'regenerate-message')
          throw refused('messages', 'must end with the message that is to be responded to');
        const { turn, wait } = await answerTurn(useCases, body, message, path);
        return show(turn, wait);
      }
      if (body.tool_outputs !== undefined)
        throw refused('tool_outputs', 'are for a message of the assistant that a turn waits with');
      const { turn } = await submitMessage(useCases, body, message, path);
      return show(turn);
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/ai/chat/:chat_id/stream',
    operationId: 'aiSdkResumeChat',
    summary: 'Stream the turn that runs in a chat from its start, as the AI SDK does to resume',
    description: 'The oldest turn that has not ended. 204 where there is none.',
    scope: 'turns:read',
    params,
    query: none,
    response: { status: 200, description: STREAM, stream: STREAM },
    problems: STREAM_PROBLEMS,
    async handle({ params: { chat_id: id }, origin }, useCases): Promise<DialectResult> {
      const session = await findChat(useCases, id);
      const turn = session === null ? null : await openTurnOf(useCases, session.id);
      if (turn === null) return { status: 204 };
      return followTurn(useCases, turn.id, origin);
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/ai/chat/:chat_id/stop',
    operationId: 'aiSdkStopChat',
    summary: 'Cancel the turns of a chat that have not ended',
    description: 'A client of the AI SDK that stops reading does not stop a turn: this does.',
    scope: 'turns:write',
    noAct: 'the work itself: the turns and their events say so',
    params,
    query: none,
    response: {
      status: 200,
      description: 'The turns that were cancelled, or are being cancelled.',
      schema: z.object({ turns: z.array(z.object({ id: z.string(), status: z.string() })) }),
    },
    problems: ['not_found'],
    async handle({ params: { chat_id: id } }, useCases) {
      const session = await findChat(useCases, id);
      const open = session === null ? [] : await openTurnsOf(useCases, session.id);
      const turns = [];
      // The newest first: none that waits behind another begins meanwhile.
      for (const turn of open) {
        const { id: turnId, status } = await useCases.turns.cancel(turn.id);
        turns.push({ id: turnId, status });
      }
      return { status: 200, body: { turns } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/ai/chat/:chat_id/messages',
    operationId: 'aiSdkListMessages',
    summary: 'The messages of a chat, as `useChat` begins with them',
    description:
      'Of the newest turns, oldest first. The message of a turn that runs is not among them: its stream has it.',
    scope: 'turns:read',
    params,
    query: z.object({
      limit: z.coerce.number().int().min(1).max(100).default(50).meta({
        description: 'The most turns.',
      }),
      cursor: idSchema('turn')
        .optional()
        .meta({ description: 'The `next_cursor` of a page: the turns that came before it.' }),
    }),
    response: {
      status: 200,
      description: 'Messages. `next_cursor` is null where there are no older ones.',
      schema: z.object({ messages: z.array(messageShown), next_cursor: z.string().nullable() }),
    },
    problems: ['not_found'],
    async handle({ params: { chat_id: id }, query: { limit, cursor }, origin }, useCases) {
      const session = await findChat(useCases, id);
      if (session === null) return { status: 200, body: { messages: [], next_cursor: null } };
      const page = { cursor: cursor ?? null, limit: limit + 1 };
      const found = await useCases.turns.list({ sessionId: session.id }, page);
      const messages: ShownMessage[] = [];
      let bytes = 0;
      let oldest: string | null = null;
      for (const turn of found.slice(0, limit)) {
        const shown = await messagesOfTurn(useCases, turn, origin);
        bytes += JSON.stringify(shown).length;
        if (bytes > MOST_BYTES && oldest !== null)
          return { status: 200, body: { messages, next_cursor: oldest } };
        messages.unshift(...shown);
        oldest = turn.id;
      }
      return { status: 200, body: { messages, next_cursor: found.length > limit ? oldest : null } };
    },
  }),
];
