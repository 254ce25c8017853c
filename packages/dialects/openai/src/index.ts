import type { Dialect } from '@turnpike/dialect-base';
export { REQUEST_FIELDS } from './fields.ts';
export { composeWebhookEvent, OPENAI_WEBHOOK_EVENTS } from './webhook-event.ts';
import { errorOf } from './errors.ts';
import { conversationRoutes } from './routes/conversations.ts';
import { modelRoutes } from './routes/models.ts';
import { responseRoutes } from './routes/responses.ts';

/** OpenAI's Responses API, for its official clients: a change of the base URL and of the key. */
export const openaiDialect: Dialect = {
  name: 'openai',
  title: 'OpenAI Responses',
  about:
    "OpenAI's Responses API for its clients: `model` is an agent, a response is a turn, a conversation a session.",
  prefix: '/openai/v1',
  routes: [...responseRoutes, ...conversationRoutes, ...modelRoutes],
  errorOf,
};
