import type { Dialect } from '@turnpike/dialect-base';
export { CHUNK_ROWS, PART_ROWS, REQUEST_ROWS } from './conformance.ts';
import { NotConfirmed } from './make-again.ts';
import { chatRoutes } from './routes.ts';

/** Chats of the AI SDK: `useChat` with its own transport. */
export const aiSdkDialect: Dialect = {
  name: 'ai-sdk',
  title: 'AI SDK',
  about:
    'Chats of the AI SDK (`useChat`): UI message streams. A chat is a session, a message of the assistant a turn.',
  prefix: '/ai',
  routes: chatRoutes,
  // Its clients show the text of the response as it is.
  errorOf: (_problem, error) => (error instanceof NotConfirmed ? { confirmation: error.confirmation } : {}),
};
