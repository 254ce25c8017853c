import { isMainThread, workerData } from 'node:worker_threads';

/** The data that a thread for tools is started with. */
export const IS_TOOL_THREAD = 'turnpike tool thread';

/** Whether this code runs in a thread for isolated tools, where a module is imported for the tools that it exports. */
export function isToolThread(): boolean {
  return !isMainThread && workerData === IS_TOOL_THREAD;
}
