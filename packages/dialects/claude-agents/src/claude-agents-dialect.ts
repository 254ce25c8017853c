import type { Dialect } from '@turnpike/dialect-base';
import { errorOf } from './errors.ts';
import { agentRoutes } from './routes/agents.ts';
import { eventRoutes } from './routes/events.ts';
import { sessionRoutes } from './routes/sessions.ts';

/** Claude Managed Agents: `client.beta.agents` and `client.beta.sessions` of Anthropic's SDK. */
export const claudeAgentsDialect: Dialect = {
  name: 'claude-agents',
  title: 'Claude Managed Agents',
  about: "Agents, sessions and events for clients of Anthropic's Managed Agents.",
  prefix: '/claude',
  routes: [...agentRoutes, ...sessionRoutes, ...eventRoutes],
  errorOf,
};
