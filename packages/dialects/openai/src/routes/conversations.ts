import { metadataSchema, ProblemError, type Session, type Turn } from '@turnpike/contract';
import {
  DEFAULT_AGENT,
  defineDialectRoute,
  orNotFound,
  refused,
  type DialectRoute,
  type UseCases,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { findAgent } from '../ask.ts';
import { conversationId, conversationIdSchema, noConversation, sessionIdOf, turnOfListed } from '../ids.ts';
import { itemListSchema, pageOf, pageQuery, type ListedItem, type PageQuery } from '../page.ts';
import { itemsOfTurn } from '../turn-items.ts';

const none = z.object({});
const params = z.object({ conversation_id: conversationIdSchema });
/** Turns that a list of items is made of, at most. */
const MOST_TURNS = 100;

const conversationSchema = z
  .object({
    id: conversationIdSchema,
    object: z.literal('conversation'),
    created_at: z.int(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'OpenAIConversation', description: 'A conversation: a session.' });

const createSchema = z
  .strictObject({
    items: z.array(z.unknown()).max(0, 'must be empty: send them with the first response').nullish(),
    metadata: metadataSchema.nullish(),
  })
  .meta({ id: 'OpenAICreateConversation' });
const updateSchema = z.strictObject({ metadata: metadataSchema }).meta({ id: 'OpenAIUpdateConversation' });

function conversationOf({
  id,
  created_at: createdAt,
  metadata,
}: Session): z.output<typeof conversationSchema> {
  const created = Math.floor(Date.parse(createdAt) / 1000);
  return { id: conversationId(id), object: 'conversation', created_at: created, metadata };
}

/** A conversation is of one agent, which the official client has no field for. */
async function agentFor(useCases: UseCases, name: string | undefined): Promise<string> {
  if (name !== undefined) return (await findAgent(useCases, name)).agent.id;
  const standard = await useCases.agents.find(DEFAULT_AGENT);
  if (standard !== null) return standard.id;
  const [only, another] = await useCases.agents.list({}, { cursor: null, limit: 2 });
  if (only !== undefined && another === undefined) return only.id;
  throw refused('metadata.agent', 'must name an agent, where none is named `default`');
}

export const conversationRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/openai/v1/conversations',
    operationId: 'openaiCreateConversation',
    summary: 'Create a conversation, as the official client of OpenAI does',
    description:
      'Creates a session of the agent that `metadata.agent` names; else of the agent `default`, or of the only one.',
    scope: 'turns:write',
    noAct: 'the work itself: a conversation begins',
    params: none,
    query: none,
    body: createSchema,
    examples: { least: { value: { metadata: { agent: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r' } } } },
    response: { status: 200, description: 'The conversation.', schema: conversationSchema },
    problems: ['not_found', 'session_limit', 'metadata_too_large'],
    async handle({ body: { metadata } }, useCases) {
      const agentId = await agentFor(useCases, metadata?.['agent']);
      const session = await useCases.sessions.create({ agent_id: agentId, metadata: metadata ?? {} });
      return { status: 200, body: conversationOf(session) };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/openai/v1/conversations/:conversation_id',
    operationId: 'openaiGetConversation',
    summary: 'Read a conversation, as the official client of OpenAI does',
    scope: 'turns:read',
    params,
    query: none,
    response: { status: 200, description: 'The conversation.', schema: conversationSchema },
    problems: ['not_found'],
    async handle({ params: { conversation_id: id } }, { sessions }) {
      return {
        status: 200,
        body: conversationOf(await orNotFound(sessions.read(sessionIdOf(id)), noConversation)),
      };
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/openai/v1/conversations/:conversation_id',
    operationId: 'openaiUpdateConversation',
    summary: 'Replace the metadata of a conversation, as the official client of OpenAI does',
    scope: 'turns:write',
    noAct: 'the work itself: what a client notes of a conversation',
    params,
    query: none,
    body: updateSchema,
    examples: { least: { value: { metadata: { customer: 'c-42' } } } },
    response: { status: 200, description: 'The conversation.', schema: conversationSchema },
    problems: ['not_found', 'metadata_too_large'],
    async handle({ params: { conversation_id: id }, body }, { sessions }) {
      const updated = sessions.update(sessionIdOf(id), { metadata: body.metadata });
      return { status: 200, body: conversationOf(await orNotFound(updated, noConversation)) };
    },
  }),

  defineDialectRoute({
    method: 'delete',
    path: '/openai/v1/conversations/:conversation_id',
    operationId: 'openaiDeleteConversation',
    summary: 'Erase a conversation with its responses, as the official client of OpenAI does',
    scope: 'turns:write',
    audit: 'session.erased',
    params,
    query: none,
    response: {
      status: 200,
      description: 'Deleted.',
      schema: z.object({
        id: z.string(),
        object: z.literal('conversation.deleted'),
        deleted: z.literal(true),
      }),
    },
    problems: ['not_found'],
    async handle({ params: { conversation_id: id } }, { sessions }) {
      await orNotFound(sessions.erase(sessionIdOf(id)), noConversation);
      return { status: 200, body: { id, object: 'conversation.deleted', deleted: true } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/openai/v1/conversations/:conversation_id/items',
    operationId: 'openaiListConversationItems',
    summary: 'List the items of a conversation, as the official client of OpenAI does',
    scope: 'turns:read',
    params,
    query: pageQuery,
    response: { status: 200, description: 'One page.', schema: itemListSchema },
    problems: ['not_found'],
    async handle({ params: { conversation_id: id }, query }, useCases) {
      const session = await orNotFound(useCases.sessions.read(sessionIdOf(id)), noConversation);
      const turns = await useCases.turns.list({ sessionId: session.id }, { limit: MOST_TURNS + 1 });
      if (turns.length > MOST_TURNS)
        throw new ProblemError(
          'invalid_request',
          `Conversations of more than ${MOST_TURNS} turns are listed at /v1/sessions.`,
        );
      const inOrder = query.order === 'asc' ? turns.toReversed() : turns;
      return { status: 200, body: pageOf(await itemsFor(useCases, inOrder, query), query) };
    },
  }),
];

/** Items from the turn on that a page begins in, as many as it needs. */
async function itemsFor(
  useCases: UseCases,
  turns: readonly Turn[],
  { after, limit, order }: PageQuery,
): Promise<ListedItem[]> {
  const first = after === undefined ? 0 : turns.findIndex(({ id }) => id === turnOfListed(after));
  const items: ListedItem[] = [];
  for (const turn of first === -1 ? [] : turns.slice(first)) {
    const own = await itemsOfTurn(useCases, turn);
    items.push(...(order === 'asc' ? own : own.toReversed()));
    const seen = after === undefined ? 0 : items.findIndex(({ id }) => id === after) + 1;
    if (items.length - seen > limit) break;
  }
  return items;
}
