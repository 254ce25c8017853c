import { MOST_PUSH_CONFIGS, type PushConfig } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import { defineMethod, readTask, type Answer, type Asked } from './method.ts';
import { RefusedError } from './refusals.ts';
import {
  pushConfigRequestSchema,
  pushConfigSchema,
  pushConfigsRequestSchema,
  type PushConfigRequest,
} from './requests.ts';

/** A configuration as it is shown: without its token and its credentials, which are stored sealed. */
function shown(taskId: string, { id, url, scheme }: PushConfig): Record<string, unknown> {
  return { id, taskId, url, ...(scheme === null ? {} : { authentication: { scheme } }) };
}

/** Adds a configuration to a task: one without an id gets one. Throws for a URL that may not be reached. */
export async function addPushConfig(
  { useCases }: Asked,
  taskId: string,
  { id, url, token = '', authentication }: PushConfigRequest,
  path: string,
): Promise<PushConfig> {
  const { scheme = null, credentials = '' } = authentication ?? {};
  const config = { id: id === undefined || id === '' ? null : id, url, scheme };
  const added = await useCases.pushConfigs.add(taskId, config, {
    token: token === '' ? null : token,
    authorization: scheme === null || credentials === '' ? null : `${scheme} ${credentials}`,
    path,
  });
  if (added === null) throw refused(path, `is one too many: a task has at most ${MOST_PUSH_CONFIGS}`);
  return added;
}

export const createPushConfig = defineMethod({
  name: 'CreateTaskPushNotificationConfig',
  scope: 'turns:write',
  params: pushConfigSchema,
  async answer(asked, request): Promise<Answer> {
    const { id } = await readTask(asked, request.taskId ?? '');
    return { result: shown(id, await addPushConfig(asked, id, request, 'url')) };
  },
});

async function findConfig(asked: Asked, taskId: string, id: string): Promise<PushConfig> {
  await readTask(asked, taskId);
  const config = (await asked.useCases.pushConfigs.list(taskId)).find((each) => each.id === id);
  if (config !== undefined) return config;
  throw new RefusedError('TASK_NOT_FOUND', 'The task has no such push configuration.');
}

export const getPushConfig = defineMethod({
  name: 'GetTaskPushNotificationConfig',
  scope: 'turns:read',
  params: pushConfigRequestSchema,
  async answer(asked, { taskId, id }): Promise<Answer> {
    return { result: shown(taskId, await findConfig(asked, taskId, id)) };
  },
});

export const listPushConfigs = defineMethod({
  name: 'ListTaskPushNotificationConfigs',
  scope: 'turns:read',
  params: pushConfigsRequestSchema,
  async answer(asked, { taskId }): Promise<Answer> {
    await readTask(asked, taskId);
    const configs = await asked.useCases.pushConfigs.list(taskId);
    return { result: { configs: configs.map((config) => shown(taskId, config)), nextPageToken: '' } };
  },
});

export const deletePushConfig = defineMethod({
  name: 'DeleteTaskPushNotificationConfig',
  scope: 'turns:write',
  params: pushConfigRequestSchema,
  async answer(asked, { taskId, id }): Promise<Answer> {
    await findConfig(asked, taskId, id);
    await asked.useCases.pushConfigs.remove(taskId, id);
    return { result: null };
  },
});
