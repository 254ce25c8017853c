import { isFinal } from '@turnpike/contract';
import { defineMethod, hasContext, readTask, type Answer } from './method.ts';
import { followTask, readPageToken, showTask } from './read-task.ts';
import { RefusedError } from './refusals.ts';
import { cancelTaskSchema, getTaskSchema, listTasksSchema, subscribeSchema } from './requests.ts';
import { stateOf, statusesOf } from './task.ts';

const DEFAULT_PAGE_SIZE = 50;
/** Tasks are counted to this many: to count a million for every page would cost more than the page. */
const MOST_COUNTED = 10_000;

export const getTask = defineMethod({
  name: 'GetTask',
  scope: 'turns:read',
  params: getTaskSchema,
  async answer(asked, { id, historyLength }): Promise<Answer> {
    const turn = await readTask(asked, id);
    return { result: await showTask(asked, turn, { historyLength, artifacts: true }) };
  },
});

export const listTasks = defineMethod({
  name: 'ListTasks',
  scope: 'turns:read',
  params: listTasksSchema,
  async answer(asked, request): Promise<Answer> {
    const { contextId = '', status, pageSize = DEFAULT_PAGE_SIZE, historyLength = 0 } = request;
    if ((request.statusTimestampAfter ?? '') !== '')
      throw new RefusedError('UNSUPPORTED_OPERATION', 'Tasks cannot be filtered by statusTimestampAfter.');
    const { turns } = asked.useCases;
    const empty = { tasks: [], nextPageToken: '', pageSize, totalSize: 0 };
    if (status === 'TASK_STATE_AUTH_REQUIRED') return { result: empty };
    if (contextId !== '' && !(await hasContext(asked, contextId))) return { result: empty };
    const isAny = status === undefined || status === 'TASK_STATE_UNSPECIFIED';
    const filter = {
      agentId: asked.agent.id,
      ...(contextId === '' ? {} : { sessionId: contextId }),
      ...(isAny ? {} : { statuses: statusesOf(status) }),
    };
    const found = await turns.list(filter, { cursor: readPageToken(request.pageToken), limit: pageSize + 1 });
    const page = found.slice(0, pageSize);
    const fits = page.filter((turn) => isAny || stateOf(turn) === status);
    const show = { historyLength, artifacts: request.includeArtifacts ?? false };
    const tasks = [];
    for (const turn of fits) tasks.push(await showTask(asked, turn, show));
    const last = page.at(-1);
    const nextPageToken = found.length > pageSize && last !== undefined ? last.id : '';
    const totalSize = await turns.count(filter, MOST_COUNTED);
    return { result: { tasks, nextPageToken, pageSize, totalSize } };
  },
});

export const cancelTask = defineMethod({
  name: 'CancelTask',
  scope: 'turns:write',
  params: cancelTaskSchema,
  async answer(asked, { id, metadata = {} }): Promise<Answer> {
    if (Object.keys(metadata).length > 0)
      throw new RefusedError('UNSUPPORTED_OPERATION', 'A cancellation has no metadata here.');
    const notCancelable = (): RefusedError =>
      new RefusedError('TASK_NOT_CANCELABLE', `The task ${id} has ended.`);
    if (isFinal((await readTask(asked, id)).status)) throw notCancelable();
    const turn = await asked.useCases.turns.cancel(id);
    if (isFinal(turn.status) && turn.status !== 'cancelled') throw notCancelable();
    return { result: await showTask(asked, turn, { historyLength: undefined, artifacts: true }) };
  },
});

export const subscribeToTask = defineMethod({
  name: 'SubscribeToTask',
  scope: 'turns:read',
  params: subscribeSchema,
  async answer(asked, { id }): Promise<Answer> {
    const { status } = await readTask(asked, id);
    if (isFinal(status))
      throw new RefusedError('UNSUPPORTED_OPERATION', `The task ${id} has ended: read it.`);
    return followTask(asked, id);
  },
});
