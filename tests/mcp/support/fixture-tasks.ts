import { randomUUID } from 'node:crypto';
import { ProtocolError, ProtocolErrorCode, type McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

interface FixtureTask {
  tool: string;
  createdAt: string;
  status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';
  message: string;
  inputRequests?: Record<string, unknown>;
  answers: Record<string, unknown>;
}

const taskParams = z.object({ taskId: z.string() });

/** Tools whose calls become tasks, by the extension of protocol 2026-07-28. They outlive a process of their client. */
export class FixtureTasks {
  readonly all = new Map<string, FixtureTask>();
  /** How often each task was asked for. */
  readonly asked: string[] = [];
  pollMs = 100;
  refusesAnswers = false;

  /** The newest task. */
  get last(): FixtureTask {
    const task = [...this.all.values()].at(-1);
    if (task === undefined) throw new Error('There is no task.');
    return task;
  }

  /** Declares the extension, and tools that act and then give their task. */
  addTo(server: McpServer, act: (tool: string, meta: Record<string, unknown>) => void): void {
    server.server.registerCapabilities({ extensions: { 'io.modelcontextprotocol/tasks': {} } });
    for (const [name, annotations] of [
      ['job', {}],
      ['study', { readOnlyHint: true }],
    ] as const) {
      const inputSchema = z.object({});
      server.registerTool(
        name,
        { description: `Long work: ${name}.`, inputSchema, annotations },
        (_, { mcpReq }) => {
          act(name, mcpReq._meta ?? {});
          const id = randomUUID();
          const createdAt = new Date().toISOString();
          this.all.set(id, { tool: name, createdAt, status: 'working', message: 'At work.', answers: {} });
          return { content: [], resultType: 'task', ...this.#shown(id) };
        },
      );
    }
    server.server.setRequestHandler('tasks/get', { params: taskParams }, ({ taskId }) => {
      this.asked.push(taskId);
      return this.#shown(taskId);
    });
    server.server.setRequestHandler('tasks/cancel', { params: taskParams }, ({ taskId }) => {
      this.#find(taskId).status = 'cancelled';
      return {};
    });
    server.server.setRequestHandler('tasks/update', { params: taskParams }, ({ taskId }, { mcpReq }) => {
      const task = this.#find(taskId);
      if (this.refusesAnswers) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Not so.');
      Object.assign(task.answers, mcpReq.inputResponses);
      delete task.inputRequests;
      task.status = 'completed';
      return {};
    });
  }

  #find(id: string): FixtureTask {
    const task = this.all.get(id);
    if (task === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Task not found');
    return task;
  }

  #shown(id: string): Record<string, unknown> {
    const { tool, status, message, createdAt, inputRequests, answers } = this.#find(id);
    const text = `${tool} is done ${JSON.stringify(answers)}`;
    return {
      taskId: id,
      status,
      statusMessage: message,
      createdAt,
      lastUpdatedAt: createdAt,
      ttlMs: null,
      pollIntervalMs: this.pollMs,
      ...(inputRequests === undefined ? {} : { inputRequests }),
      ...(status === 'completed' ? { result: { content: [{ type: 'text', text }] } } : {}),
      ...(status === 'failed' ? { error: { code: -32_603, message: 'It broke.' } } : {}),
    };
  }
}
