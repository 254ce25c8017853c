import type { Method } from './method.ts';
import { getExtendedAgentCard } from './agent-card.ts';
import { createPushConfig, deletePushConfig, getPushConfig, listPushConfigs } from './push-configs.ts';
import { sendMessage, sendStreamingMessage } from './send-message.ts';
import { cancelTask, getTask, listTasks, subscribeToTask } from './tasks.ts';

/** Every operation that is served. */
export const METHODS: readonly Method[] = [
  sendMessage,
  sendStreamingMessage,
  getTask,
  listTasks,
  cancelTask,
  subscribeToTask,
  createPushConfig,
  getPushConfig,
  listPushConfigs,
  deletePushConfig,
  getExtendedAgentCard,
];
