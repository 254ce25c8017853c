import { createApiKey, createTenant } from '@turnpike/store';
import type { Agent, Turn } from '@turnpike/contract';
import type { HttpResponse, Cluster } from '../../support/cluster.ts';

/** One of several tenants of a cluster, with an API key of its own. */
export class TestTenant {
  readonly cluster: Cluster;
  readonly id: string;
  readonly #apiKey: string;

  private constructor(cluster: Cluster, id: string, apiKey: string) {
    this.cluster = cluster;
    this.id = id;
    this.#apiKey = apiKey;
  }

  static async create(cluster: Cluster, settings: { operatorKey?: boolean } = {}): Promise<TestTenant> {
    const id = await createTenant(cluster.database, 'Trial', settings);
    const { key } = await createApiKey(cluster.database.pool, { tenantId: id, name: 't', scopes: ['admin'] });
    return new TestTenant(cluster, id, key);
  }

  request(method: string, path: string, body?: unknown): Promise<HttpResponse> {
    return this.cluster.request(method, path, body, { authorization: `Bearer ${this.#apiKey}` });
  }

  /** As `request`; throws unless it went well. */
  async done<Body>(method: string, path: string, body?: unknown): Promise<Body> {
    const response = await this.request(method, path, body);
    if (response.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(response.body)}`);
    return response.body as Body;
  }

  /** Stores these secrets, and names them all as the tenant's model keys, in this order. */
  async useKeys(keys: Record<string, string>, settings: Record<string, unknown> = {}): Promise<void> {
    for (const [name, value] of Object.entries(keys)) await this.putSecret(name, value);
    await this.done('PUT', '/v1/model_settings', { keys: Object.keys(keys), ...settings });
  }

  async putSecret(name: string, value: string): Promise<void> {
    await this.done('PUT', `/v1/secrets/${name}`, { value });
  }

  createAgent(config: Record<string, unknown> = {}): Promise<Agent> {
    return this.done('POST', '/v1/agents', { name: 'test', model: 'claude-sonnet-4-5', ...config });
  }

  submit(agentId: string, input: string): Promise<Turn> {
    return this.done('POST', '/v1/turns', { agent_id: agentId, input });
  }

  /** Waits, by long polls, until a turn is as `check` wants it. */
  async until(turnId: string, check: (turn: Turn) => boolean, limitMs = 60_000): Promise<Turn> {
    const end = Date.now() + limitMs;
    for (;;) {
      const turn = await this.done<Turn>('GET', `/v1/turns/${turnId}?wait=1`);
      if (check(turn)) return turn;
      if (Date.now() > end) {
        throw new Error(`${turnId} is still ${JSON.stringify(turn)}.\n${this.cluster.logs()}`);
      }
    }
  }

  untilEnded(turnId: string): Promise<Turn> {
    return this.until(turnId, ({ finished_at: at }) => at !== null);
  }

  /** A turn of a new session, from its submission to its end. */
  async run(agentId: string, input: string): Promise<Turn> {
    const { id } = await this.submit(agentId, input);
    return this.untilEnded(id);
  }
}
