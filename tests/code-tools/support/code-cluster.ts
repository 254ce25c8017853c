import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Step, ToolCall, Turn } from './wire.ts';
import { Cluster } from '../../support/cluster.ts';
import { startToolServer, type ToolServer } from './tool-server.ts';

/** A cluster whose workers have the tools of `worker.mjs`, or of another program beside it, and the server that these speak to. */
export interface CodeCluster {
  cluster: Cluster;
  server: ToolServer;
  /** Submits a turn whose model calls this tool once, and then says what the tool gave it. */
  call(name: string, input?: Record<string, unknown>, options?: Record<string, unknown>): Promise<Turn>;
  /** The same, to its end. */
  run(name: string, input?: Record<string, unknown>, options?: Record<string, unknown>): Promise<Turn>;
  /** The one tool call of a turn. */
  callOf(turnId: string): Promise<ToolCall>;
  answer(turn: Turn, output: Record<string, unknown>): Promise<number>;
  stop(): Promise<void>;
}

export async function startCodeCluster(
  workers = 1,
  environment: Record<string, string> = {},
  worker = 'worker.mjs',
): Promise<CodeCluster> {
  const server = await startToolServer();
  const cluster = await Cluster.start({
    workers,
    workerPath: fileURLToPath(new URL(worker, import.meta.url)),
    environment: {
      EGRESS_ALLOW: '127.0.0.1',
      TOOL_SERVER: server.url,

      JOB_AGE_MS: '300',
      ...environment,
    },
  });
  await cluster.request('PUT', '/v1/secrets/crm_token', { value: 'crm-secret-0123456789' });
  const agents = new Map<string, string>();
  const agentWith = async (name: string): Promise<string> => {
    const known = agents.get(name);
    if (known !== undefined) return known;
    const { id } = await cluster.createAgent({ tools: [{ type: 'code', name }] });
    agents.set(name, id);
    return id;
  };
  const call: CodeCluster['call'] = async (name, input = {}, options = {}) => {
    const agentId = await agentWith(name);
    await cluster.control.setScript({
      rules: [
        { match: { step: 0 }, reply: { tool_uses: [{ name, input }] } },
        { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
      ],
    });
    return cluster.submit({ agentId }, `Call ${name}.`, options);
  };
  return {
    cluster,
    server,
    call,
    run: async (name, input, options) => cluster.untilEnded((await call(name, input, options)).id),
    async callOf(turnId) {
      const { body } = await cluster.request('GET', `/v1/turns/${turnId}/steps`);
      const { items } = body as { items: Step[] };
      const found = items.flatMap((step) => step.tool_calls)[0];
      if (found === undefined) throw new Error(`${turnId} has no tool call.`);
      return found;
    },
    async answer(turn, output) {
      const id = turn.required_action?.tool_calls[0]?.id;
      // As a client does it: sent again with its key while the service says that it cannot take it now.
      const headers = { 'idempotency-key': randomUUID() };
      const body = { tool_outputs: [{ tool_call_id: id, ...output }] };
      for (let tries = 1; ; tries++) {
        const { status } = await cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, body, headers);
        if (status !== 503 || tries > 20) return status;
        await delay(500);
      }
    },
    async stop() {
      await cluster.stop();
      server.close();
    },
  };
}
