import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import { CreateTaskResultV1Schema } from '@modelcontextprotocol/ext-tasks/core/v1';
import { CreateTaskResultV2Schema } from '@modelcontextprotocol/ext-tasks/core/v2';
import type { ToolCallContext } from '@turnpike/contract';
import { z } from 'zod';
import type { McpSession } from './mcp-session.ts';

/*
 * A server may respond to a call with a task: work that goes on, and that is asked for by its id. Protocol 2026-07-28
 * has tasks as an extension, and 2025-11-25 had others, which the client asks for.
 */

/** Identifies a task for as long as its call is open. It is committed as soon as it is known. */
export interface TaskHandle {
  /** How its server is asked. */
  protocol: '2025-11-25' | '2026-07-28';
  id: string;
  /** By the database's clock, in milliseconds since 1970. */
  beganAt: number;
  /** What the server suggests; null where it suggests nothing. */
  pollMs: number | null;
  /** In which the task was made, and in which alone some servers find it; null where the server has none. */
  session: McpSession | null;
}

/** A task as its server announced it. */
export type CreatedTask = Omit<TaskHandle, 'beganAt' | 'session'>;

const MOST_ID_CHARACTERS = 1_000;
/** The one step of a call that names its task. */
const STEP = 'task';

const handleSchema = z.object({
  protocol: z.enum(['2025-11-25', '2026-07-28']),
  id: z.string(),
  beganAt: z.number(),
  pollMs: z.number().nullable(),
  session: z.object({ id: z.string(), version: z.string() }).nullable(),
});

/** The task of a call, by its committed steps; null where it has none. */
export function handleOf(context: Pick<ToolCallContext, 'steps'>): TaskHandle | null {
  const kept = context.steps().find(({ kind, name }) => kind === 'step' && name === STEP);
  return kept === undefined ? null : handleSchema.parse(JSON.parse(kept.result ?? 'null'));
}

/** Commits the task of a call. From then on the call is made again by asking for its task: it acts no second time. */
export async function keepHandle(
  task: CreatedTask,
  session: McpSession | null,
  context: ToolCallContext,
): Promise<TaskHandle> {
  const handle: TaskHandle = { ...task, beganAt: context.now(), session };
  const result = JSON.stringify(handle);
  await context.commitStep({ kind: 'step', name: STEP, effect: 'read', status: 'completed', result });
  return handle;
}

/** The task that a response to a call announces; null where it is a result. */
export function taskIn(message: JSONRPCMessage): CreatedTask | null {
  if (!('result' in message)) return null;
  const extension = CreateTaskResultV2Schema.safeParse(message.result);
  if (extension.success) {
    const { taskId, pollIntervalMs } = extension.data;
    return isUsable(taskId) ? { protocol: '2026-07-28', id: taskId, pollMs: pollIntervalMs ?? null } : null;
  }
  const core = CreateTaskResultV1Schema.safeParse(message.result);
  if (!core.success) return null;
  const { taskId, pollInterval } = core.data.task;
  return isUsable(taskId) ? { protocol: '2025-11-25', id: taskId, pollMs: pollInterval ?? null } : null;
}

/** An id is sent in a header. */
function isUsable(id: string): boolean {
  return id.length <= MOST_ID_CHARACTERS && /^[\x21-\x7e]+$/.test(id);
}
