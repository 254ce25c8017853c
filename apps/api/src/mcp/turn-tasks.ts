import {
  ProtocolError,
  ProtocolErrorCode,
  MissingRequiredClientCapabilityError,
} from '@modelcontextprotocol/server';
import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import {
  hasTaskClientCapabilityV2,
  TASKS_EXTENSION_ID_V2,
  type TaskV2,
} from '@modelcontextprotocol/ext-tasks/core/v2';
import { idSchema, isFinal, ProblemError, type Turn } from '@turnpike/contract';
import { z } from 'zod';
import { cancelTurn } from '../cancel-turn.ts';
import { readSettledTurn } from '../read-settled-turn.ts';
import type { Services } from '../route.ts';
import { describeTurn } from './describe-turn.ts';
import type { McpRequester } from './mcp-requester.ts';

/** What clients are asked to wait between two questions. */
const POLL_MS = 2_000;
const EXTENSION = { [TASKS_EXTENSION_ID_V2]: {} };

const taskParams = z.object({ taskId: idSchema('turn') });

/** Whether the client that made a request can follow a task. */
export function takesTasks({ mcpReq }: ServerContext): boolean {
  return hasTaskClientCapabilityV2({ _meta: mcpReq.envelope });
}

/** A turn as a task, whose id is the turn's. */
export function taskOf(turn: Turn): TaskV2 {
  const { id, status, created_at: createdAt, started_at: startedAt, finished_at: finishedAt } = turn;
  const isWaiting = status === 'requires_action';
  return {
    taskId: id,
    status: status === 'cancelled' ? 'cancelled' : isFinal(status) ? 'completed' : 'working',
    statusMessage: isWaiting ? 'It waits for a person, who must act in Turnpike.' : `The turn is ${status}.`,
    createdAt,
    lastUpdatedAt: finishedAt ?? startedAt ?? createdAt,
    ttlMs: null,
    pollIntervalMs: POLL_MS,
  };
}

/** Lets clients follow turns as tasks: the extension of protocol 2026-07-28. */
export function addTurnTasks(server: McpServer, services: Services, { tenantId, gone }: McpRequester): void {
  const { server: protocol } = server;
  protocol.registerCapabilities({ extensions: EXTENSION });
  const serve =
    (work: (id: string) => Promise<Record<string, unknown>>) =>
    async ({ taskId }: { taskId: string }, context: ServerContext): Promise<Record<string, unknown>> => {
      if (!takesTasks(context)) {
        throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: EXTENSION } });
      }
      try {
        return await work(taskId);
      } catch (error) {
        if (error instanceof ProblemError)
          throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message);
        services.reportError(error, { tenant_id: tenantId, endpoint: 'mcp' });
        throw new ProtocolError(ProtocolErrorCode.InternalError, 'The request was not served.');
      }
    };
  const read = (id: string): Promise<Turn> => readSettledTurn(services, tenantId, id, 0, () => gone);
  protocol.setRequestHandler(
    'tasks/get',
    { params: taskParams },
    serve(async (id) => {
      const turn = await read(id);
      const task = taskOf(turn);
      if (task.status !== 'completed') return task;
      return { ...task, result: { ...describeTurn(turn), resultType: 'complete' } };
    }),
  );
  protocol.setRequestHandler(
    'tasks/cancel',
    { params: taskParams },
    serve(async (id) => {
      const { afterCommit } = await cancelTurn(services, { sql: services.database.pool, tenantId }, id);
      afterCommit();
      return {};
    }),
  );
  // A turn asks nothing of its host. What a client sends nevertheless is ignored, as the extension wants it.
  protocol.setRequestHandler(
    'tasks/update',
    { params: taskParams },
    serve(async (id) => {
      await read(id);
      return {};
    }),
  );
}
