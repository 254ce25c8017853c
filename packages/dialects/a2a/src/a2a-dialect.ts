import { idSchema, type ProblemError } from '@turnpike/contract';
import type { Dialect } from '@turnpike/dialect-base';
import { z } from 'zod';
import { publicCard } from './agent-card.ts';
import { jsonRpcRoute, rpcMembersOf } from './json-rpc.ts';
import { RefusedError, restErrorOf } from './refusals.ts';
import { restRoutes } from './rest.ts';

/** A path with what is no id of a task names a task that is not there. */
function namesTask(path: string, error: ProblemError): ProblemError {
  const isOfTask = error.code === 'not_found' && /^\/a2a\/[^/]+\/tasks\/[^/]+/.test(path);
  return isOfTask && !(error instanceof RefusedError)
    ? new RefusedError('TASK_NOT_FOUND', error.message)
    : error;
}

const cardParams = z.object({ agent_id: idSchema('agent') });

/** Agent2Agent 1.0: each agent as an A2A agent, its turns as tasks, its sessions as contexts. */
export const a2aDialect: Dialect = {
  name: 'a2a',
  title: 'A2A',
  about: 'Agents for clients of the Agent2Agent protocol 1.0, over JSON-RPC and HTTP+JSON.',
  prefix: '/a2a',
  routes: [jsonRpcRoute, ...restRoutes],
  errorOf: (_problem, error, path) => rpcMembersOf(error) ?? { error: restErrorOf(namesTask(path, error)) },
  publicCards: {
    path: '/a2a/:agent_id/.well-known/agent-card.json',
    params: cardParams,
    cardOf: (params, origin) => publicCard(origin, cardParams.parse(params).agent_id),
  },
};
