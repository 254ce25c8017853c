import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Turn } from '@turnpike/contract';
import type { Cluster } from '../../support/cluster.ts';
import { untilTrue } from '../../support/until-true.ts';

const LINES = 3;
const VALUE = 'the value that the tool wants to see';
/** Only ends what would never end. */
const PATIENCE_MS = 240_000;

export interface TurnOf {
  turn: Turn;
  headers: Record<string, string>;
}

/** Turns that run all the time, each with a call of an HTTP tool that needs a secret in a header. */
export class ToolTraffic {
  readonly #cluster: Cluster;
  readonly #server: Server;
  readonly #failed: string[] = [];
  readonly #agents = new Map<string, string>();
  #lines: Promise<void>[] = [];
  #running = false;
  #done = 0;
  #open = 0;
  #wrongSecrets = 0;

  private constructor(cluster: Cluster, server: Server) {
    this.#cluster = cluster;
    this.#server = server;
    server.on('request', (request, response) => {
      if (request.headers['x-crm'] !== VALUE) this.#wrongSecrets += 1;
      request.resume();
      response.end('done');
    });
  }

  static async start(cluster: Cluster): Promise<ToolTraffic> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    await cluster.control.setScript({
      // Turns are to run all the time, not as many as the machine can.
      defaults: { first_token_ms: 400 },
      rules: [{ match: { step: 0 }, reply: { tool_uses: [{ name: 'crm', input: {} }] } }],
    });
    return new ToolTraffic(cluster, server);
  }

  /** From now on turns are submitted, one after another in a few lines. */
  begin(): void {
    this.#running = true;
    this.#lines = Array.from({ length: LINES }, () => this.#keepSubmitting());
  }

  /** Waits until so many further turns have ended. */
  async untilMore(turns: number): Promise<void> {
    const wanted = this.#done + turns;
    await untilTrue(`${turns} more turns`, () => this.#done >= wanted, PATIENCE_MS).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${this.#cluster.logs()}`);
      },
    );
  }

  /** Waits until there is a turn in every line. */
  untilWaiting(): Promise<void> {
    return untilTrue('turns are under way', () => this.#open === LINES);
  }

  /** What went wrong in all of it. Submits no more, and waits for what runs. */
  async stop(): Promise<{ failed: string[]; wrongSecrets: number }> {
    this.#running = false;
    await Promise.all(this.#lines);
    return { failed: this.#failed, wrongSecrets: this.#wrongSecrets };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** One turn of the tenant whose key this is. */
  async submitFor(apiKey: string): Promise<TurnOf> {
    const headers = { authorization: `Bearer ${apiKey}` };
    const body = { agent_id: await this.#agentOf(apiKey), input: 'Ask the CRM.' };
    const answer = await this.#send('POST', '/v1/turns', body, {
      ...headers,
      'idempotency-key': crypto.randomUUID(),
    });
    return { turn: answer as Turn, headers };
  }

  /** Waits for its end; it must be a good one. */
  async untilDone({ turn, headers }: TurnOf): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const read = (await this.#send('GET', `/v1/turns/${turn.id}?wait=2`, undefined, headers)) as Turn;
      if (read.status === 'completed') break;
      if (read.status !== 'queued' && read.status !== 'in_progress') {
        this.#failed.push(`${read.id} is ${read.status}: ${JSON.stringify(read.error)}`);
        return;
      }
      if (Date.now() > end)
        throw new Error(`${turn.id} is still ${read.status}: ${JSON.stringify(read.error)}`);
    }
    const { rows } = await this.#cluster.database.pool.query<{ output: string }>(
      'SELECT output::text FROM tool_calls WHERE turn_id = $1 AND is_error',
      [turn.id],
    );
    this.#failed.push(...rows.map(({ output }) => `${turn.id}: ${output}`));
  }

  async #keepSubmitting(): Promise<void> {
    while (this.#running) {
      const submitted = await this.submitFor(this.#cluster.apiKey);
      this.#open += 1;
      await this.untilDone(submitted);
      this.#open -= 1;
      this.#done += 1;
    }
  }

  async #agentOf(apiKey: string): Promise<string> {
    const known = this.#agents.get(apiKey);
    if (known !== undefined) return known;
    const headers = { authorization: `Bearer ${apiKey}` };
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    const tool = {
      name: 'crm',
      description: 'Knows customers.',
      input_schema: { type: 'object' },
      url: `http://127.0.0.1:${address.port}/`,
      headers: { 'X-Crm': { secret: 'crm' } },
    };
    await this.#send('PUT', '/v1/secrets/crm', { value: VALUE }, headers);
    const taken = await this.#cluster.request('POST', '/v1/tools', tool, headers);
    if (taken.status !== 201 && taken.status !== 409) throw new Error(JSON.stringify(taken.body));
    const agent = { name: 'crm', model: 'm', tools: [{ type: 'http', name: 'crm' }] };
    const { id } = (await this.#send('POST', '/v1/agents', agent, headers)) as { id: string };
    this.#agents.set(apiKey, id);
    return id;
  }

  /** As a client does it: again while the service is not ready, or the process that was asked has gone. */
  async #send(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#cluster
        .request(method, path, body, headers)
        .catch((error: unknown) => error);
      const isAnswer =
        typeof answer === 'object' && answer !== null && 'status' in answer && 'body' in answer;
      if (isAnswer && typeof answer.status === 'number' && answer.status < 300) return answer.body;
      const mayPass = !isAnswer || answer.status === 503;
      if (!mayPass || tries > 600) {
        throw new Error(`${method} ${path}: ${isAnswer ? JSON.stringify(answer.body) : String(answer)}`);
      }
      await delay(200);
    }
  }
}
