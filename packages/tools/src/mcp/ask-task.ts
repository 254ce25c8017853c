import {
  isCallToolResult,
  type CallToolResult,
  type Client,
  type ElicitResult,
} from '@modelcontextprotocol/client';
import { GetTaskResultV1Schema } from '@modelcontextprotocol/ext-tasks/core/v1';
import { DetailedTaskV2Schema } from '@modelcontextprotocol/ext-tasks/core/v2';
import { z } from 'zod';
import type { TaskHandle } from './task-handle.ts';

/** How a task is, whichever protocol its server speaks. */
export type TaskState = { message: string | null; pollMs: number | null } & (
  | { status: 'working' | 'cancelled' }
  /** By their keys; none where the server's protocol has no way to send the answers. */
  | { status: 'input_required'; requests: Record<string, unknown> }
  /** `result` is null where it is none that can be read. */
  | { status: 'ended'; result: CallToolResult | null }
  | { status: 'failed'; reason: string }
);

interface Asking {
  signal: AbortSignal;
  timeout: number;
}

/** Asks a server how a task is. Throws what the client throws: a `ProtocolError` for a task that it does not know. */
export async function askTask(client: Client, handle: TaskHandle, asking: Asking): Promise<TaskState> {
  const request = { method: 'tasks/get', params: { taskId: handle.id } };
  if (handle.protocol === '2025-11-25') return askCoreTask(client, handle, asking);
  const task = await client.request(request, DetailedTaskV2Schema, asking);
  const shown = { message: task.statusMessage ?? null, pollMs: task.pollIntervalMs ?? null };
  switch (task.status) {
    case 'completed':
      return { ...shown, status: 'ended', result: resultIn(task.result) };
    case 'failed':
      return { ...shown, status: 'failed', reason: task.error.message };
    case 'input_required':
      return { ...shown, status: 'input_required', requests: { ...task.inputRequests } };
    case 'working':
    case 'cancelled':
      return { ...shown, status: task.status };
    default:
      return task satisfies never;
  }
}

async function askCoreTask(client: Client, { id }: TaskHandle, asking: Asking): Promise<TaskState> {
  const params = { taskId: id };
  const task = await client.request({ method: 'tasks/get', params }, GetTaskResultV1Schema, asking);
  const shown = { message: task.statusMessage ?? null, pollMs: task.pollInterval ?? null };
  switch (task.status) {
    case 'completed':
    case 'failed': {
      const result = await client.request({ method: 'tasks/result', params }, anything, asking);
      return { ...shown, status: 'ended', result: resultIn(result) };
    }
    case 'input_required':
      return { ...shown, status: 'input_required', requests: {} };
    case 'working':
    case 'cancelled':
      return { ...shown, status: task.status };
    default:
      return task.status satisfies never;
  }
}

/** Sends answers to a task. The server ignores a key that was answered before. */
export async function answerTask(
  client: Client,
  { id }: TaskHandle,
  inputResponses: Record<string, ElicitResult>,
  asking: Asking,
): Promise<void> {
  await client.request({ method: 'tasks/update', params: { taskId: id, inputResponses } }, anything, asking);
}

/** Asks a server to stop a task, where it can be asked. */
export async function cancelTask(
  client: Client,
  { id, protocol }: TaskHandle,
  asking: Asking,
): Promise<void> {
  const capabilities = client.getServerCapabilities();
  // Not known in a session that was resumed.
  const cannot =
    protocol === '2025-11-25' && capabilities !== undefined && capabilities.tasks?.cancel === undefined;
  if (!cannot) await client.request({ method: 'tasks/cancel', params: { taskId: id } }, anything, asking);
}

const anything = z.looseObject({});

function resultIn(given: unknown): CallToolResult | null {
  return isCallToolResult(given) ? given : null;
}
