import { idSchema } from '@turnpike/contract';
import {
  defineDialectRoute,
  encodeFrame,
  STREAM_PROBLEMS,
  SUBMIT_PROBLEMS,
  takesNoStream,
  type DialectCall,
  type DialectResult,
  type DialectRoute,
  type UseCases,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { getExtendedAgentCard } from './agent-card.ts';
import { askedOf } from './asked.ts';
import type { Method } from './method.ts';
import { createPushConfig, deletePushConfig, getPushConfig, listPushConfigs } from './push-configs.ts';
import { pushConfigSchema, sendMessageSchema } from './requests.ts';
import { sendMessage, sendStreamingMessage } from './send-message.ts';
import { cancelTask, getTask, listTasks, subscribeToTask } from './tasks.ts';
import { checkVersion } from './version.ts';

const version = { 'A2A-Version': z.string().max(100).optional().meta({ description: 'As the header.' }) };
const none = z.object(version);
const ofAgent = z.object({ agent_id: idSchema('agent') });
const ofConfig = z.object({
  agent_id: idSchema('agent'),
  turn_id: idSchema('turn'),
  config_id: z.string().min(1).max(200).meta({ description: 'Its id.', example: 'mine' }),
});
const ofTask = z.object({ agent_id: idSchema('agent'), turn_id: idSchema('turn') });
const historyLength = z.coerce.number().int().min(0).max(2_147_483_647).optional().meta({
  description: 'The newest messages of the history, at most.',
});

const taskSchema = z
  .looseObject({ id: idSchema('turn'), contextId: idSchema('session'), status: z.looseObject({}) })
  .meta({ id: 'A2aTask', description: 'A turn, as a task of A2A.' });
const configSchema = z
  .object({
    id: z.string(),
    taskId: idSchema('turn'),
    url: z.string(),
    authentication: z.object({ scheme: z.string() }).optional(),
  })
  .meta({ id: 'A2aPushConfig', description: 'Without its token and its credentials.' });
const STREAM = 'The task, then its updates: each event is a `StreamResponse`.';

type Call = DialectCall<{ agent_id: string }, Record<string, unknown>, unknown>;

/** Answers a request by a method, with what the binding puts into the path, the query and the body. */
async function serve(
  method: Method,
  call: Call,
  useCases: UseCases,
  params: Record<string, unknown>,
): Promise<DialectResult> {
  checkVersion(call.header('a2a-version'), call.query['A2A-Version']);
  const asked = await askedOf(call, useCases);
  const answer = await method.answer(asked, method.params.parse(params));
  if ('result' in answer && answer.result === null) return { status: 204 };
  if ('result' in answer) return { status: 200, headers: A2A_JSON, body: answer.result };
  if (takesNoStream(call.header('accept'))) return { status: 200, headers: A2A_JSON, body: answer.first };
  const encoder = answer.stream((response) => encodeFrame('message', response));
  return { status: 200, follow: { turnId: answer.turnId, encoder } };
}

const A2A_JSON = { 'Content-Type': 'application/a2a+json' };

function configOf({ turn_id: taskId, config_id: id }: { turn_id: string; config_id: string }): {
  taskId: string;
  id: string;
} {
  return { taskId, id };
}

const message = {
  send: { messageId: 'message-1', role: 'ROLE_USER', parts: [{ text: 'What time is it in Lisbon?' }] },
};

function subscribe(method: 'get' | 'post', operationId: string): DialectRoute {
  return defineDialectRoute({
    method,
    path: '/a2a/:agent_id/tasks/:turn_id\\:subscribe',
    operationId,
    summary: 'Follow a task (A2A SubscribeToTask)',
    scope: subscribeToTask.scope,
    params: ofTask,
    query: none,
    response: { status: 200, description: 'The updates.', stream: STREAM },
    problems: STREAM_PROBLEMS,
    ...(method === 'post' ? { noAct: 'It reads.' } : {}),
    handle: (call, useCases) => serve(subscribeToTask, call, useCases, { id: call.params.turn_id }),
  });
}

/** The HTTP+JSON binding. */
export const restRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/a2a/:agent_id/message\\:send',
    operationId: 'a2aSendMessage',
    summary: 'Send a message to an agent (A2A SendMessage)',
    scope: sendMessage.scope,
    params: ofAgent,
    query: none,
    body: sendMessageSchema,
    examples: { message: { value: { message: message.send } } },
    response: {
      status: 200,
      description: 'The task.',
      schema: z.object({ task: taskSchema }).meta({ id: 'A2aSendMessageResponse' }),
    },
    problems: SUBMIT_PROBLEMS,
    noAct: 'It uses an agent.',
    keepsKey: true,
    handle: (call, useCases) => serve(sendMessage, call, useCases, call.body),
  }),

  defineDialectRoute({
    method: 'post',
    path: '/a2a/:agent_id/message\\:stream',
    operationId: 'a2aSendStreamingMessage',
    summary: 'Send a message and follow its task (A2A SendStreamingMessage)',
    scope: sendStreamingMessage.scope,
    params: ofAgent,
    query: none,
    body: sendMessageSchema,
    examples: { message: { value: { message: message.send } } },
    response: { status: 200, description: 'The updates.', stream: STREAM },
    problems: [...SUBMIT_PROBLEMS, ...STREAM_PROBLEMS],
    noAct: 'It uses an agent.',
    keepsKey: true,
    handle: (call, useCases) => serve(sendStreamingMessage, call, useCases, call.body),
  }),

  // Before the task itself, whose path fits these as well.
  subscribe('get', 'a2aFollowTask'),
  subscribe('post', 'a2aSubscribeToTask'),

  defineDialectRoute({
    method: 'get',
    path: '/a2a/:agent_id/tasks/:turn_id',
    operationId: 'a2aGetTask',
    summary: 'Read a task (A2A GetTask)',
    scope: getTask.scope,
    params: ofTask,
    query: none.extend({ historyLength }),
    response: { status: 200, description: 'The task.', schema: taskSchema },
    problems: ['not_found'],
    handle: (call, useCases) =>
      serve(getTask, call, useCases, { id: call.params.turn_id, historyLength: call.query.historyLength }),
  }),

  defineDialectRoute({
    method: 'get',
    path: '/a2a/:agent_id/tasks',
    operationId: 'a2aListTasks',
    summary: 'List the tasks of an agent, newest first (A2A ListTasks)',
    scope: listTasks.scope,
    params: ofAgent,
    query: none.extend({
      ...listTasks.params.omit({ tenant: true }).shape,
      historyLength,
      pageSize: z.coerce.number().int().min(1).max(100).optional().meta({
        description: 'Tasks on a page. Default: 50.',
      }),
      includeArtifacts: z
        .enum(['true', 'false'])
        .transform((text) => text === 'true')
        .optional()
        .meta({ description: 'Default: false.' }),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: z
        .object({
          tasks: z.array(taskSchema),
          nextPageToken: z.string(),
          pageSize: z.int(),
          totalSize: z.int(),
        })
        .meta({ id: 'A2aTaskList' }),
    },
    problems: ['not_found'],
    handle: (call, useCases) => serve(listTasks, call, useCases, call.query),
  }),

  defineDialectRoute({
    method: 'post',
    path: '/a2a/:agent_id/tasks/:turn_id\\:cancel',
    operationId: 'a2aCancelTask',
    summary: 'Cancel a task (A2A CancelTask)',
    scope: cancelTask.scope,
    params: ofTask,
    query: none,
    response: { status: 200, description: 'The task.', schema: taskSchema },
    problems: ['not_found'],
    noAct: 'It uses an agent.',
    handle: (call, useCases) => serve(cancelTask, call, useCases, { id: call.params.turn_id }),
  }),

  defineDialectRoute({
    method: 'post',
    path: '/a2a/:agent_id/tasks/:turn_id/pushNotificationConfigs',
    operationId: 'a2aCreatePushNotificationConfig',
    summary: 'Add or replace a push configuration of a task (A2A CreateTaskPushNotificationConfig)',
    scope: createPushConfig.scope,
    params: ofTask,
    query: none,
    body: pushConfigSchema,
    examples: {
      webhook: { value: { id: 'mine', url: 'https://hooks.example.invalid/a2a', token: 'token-1' } },
    },
    response: { status: 200, description: 'The configuration.', schema: configSchema },
    problems: ['not_found'],
    noAct: 'It uses an agent.',
    seals: true,
    handle: (call, useCases) =>
      serve(createPushConfig, call, useCases, { ...call.body, taskId: call.params.turn_id }),
  }),

  defineDialectRoute({
    method: 'get',
    path: '/a2a/:agent_id/tasks/:turn_id/pushNotificationConfigs',
    operationId: 'a2aListPushNotificationConfigs',
    summary: 'List the push configurations of a task (A2A ListTaskPushNotificationConfigs)',
    scope: listPushConfigs.scope,
    params: ofTask,
    query: none,
    response: {
      status: 200,
      description: 'All of them.',
      schema: z
        .object({ configs: z.array(configSchema), nextPageToken: z.string() })
        .meta({ id: 'A2aPushConfigList' }),
    },
    problems: ['not_found'],
    handle: (call, useCases) => serve(listPushConfigs, call, useCases, { taskId: call.params.turn_id }),
  }),

  defineDialectRoute({
    method: 'get',
    path: '/a2a/:agent_id/tasks/:turn_id/pushNotificationConfigs/:config_id',
    operationId: 'a2aGetPushNotificationConfig',
    summary: 'Read a push configuration of a task (A2A GetTaskPushNotificationConfig)',
    scope: getPushConfig.scope,
    params: ofConfig,
    query: none,
    response: { status: 200, description: 'The configuration.', schema: configSchema },
    problems: ['not_found'],
    handle: (call, useCases) => serve(getPushConfig, call, useCases, configOf(call.params)),
  }),

  defineDialectRoute({
    method: 'delete',
    path: '/a2a/:agent_id/tasks/:turn_id/pushNotificationConfigs/:config_id',
    operationId: 'a2aDeletePushNotificationConfig',
    summary: 'Remove a push configuration of a task (A2A DeleteTaskPushNotificationConfig)',
    scope: deletePushConfig.scope,
    params: ofConfig,
    query: none,
    response: { status: 204, description: 'Removed.' },
    problems: ['not_found'],
    noAct: 'It uses an agent.',
    handle: (call, useCases) => serve(deletePushConfig, call, useCases, configOf(call.params)),
  }),

  defineDialectRoute({
    method: 'get',
    path: '/a2a/:agent_id/extendedAgentCard',
    operationId: 'a2aGetExtendedAgentCard',
    summary: 'Read the whole card of an agent (A2A GetExtendedAgentCard)',
    scope: getExtendedAgentCard.scope,
    params: ofAgent,
    query: none,
    response: {
      status: 200,
      description: 'The card.',
      schema: z.looseObject({ name: z.string() }).meta({ id: 'A2aAgentCard' }),
    },
    problems: ['not_found'],
    handle: (call, useCases) => serve(getExtendedAgentCard, call, useCases, {}),
  }),
];
