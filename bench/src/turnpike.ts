import { randomUUID } from 'node:crypto';
import { changeLimits, createApiKey, createTenant, openDatabase, type Database } from '@turnpike/store';
import { z } from 'zod';
import { TEST_MASTER_KEYS } from '../../tests/support/master-keys.ts';
import { createTestDatabase } from '../../tests/support/test-database.ts';
import { Child } from './child.ts';
import type { Stage } from './stage.ts';
import type { Subject } from './subject.ts';
import { Wire } from './wire.ts';

export interface TurnpikeOptions {
  workers: number;
  /** Each submit has an `Idempotency-Key`. */
  idempotent?: boolean;
  agent?: Record<string, unknown>;
  environment?: Record<string, string>;
}

/** High limits: the bench measures the service, not a tenant's limits. */
const LIMITS = {
  requests_per_second: 5_000,
  max_queued_turns: 100_000,
  max_running_turns: 100_000,
  max_sessions: 10_000_000,
};

const idSchema = z.looseObject({ id: z.string() });
const turnSchema = z.looseObject({ id: z.string(), status: z.string() });
const FINAL = new Set(['completed', 'failed', 'cancelled', 'incomplete']);

/** Turnpike, as real processes, in a separate database. Its agent has no tools by default. */
export class Turnpike implements Subject {
  readonly name: string;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly tenantId: string;
  readonly apiKey: string;
  readonly workers: Child[] = [];
  readonly #environment: Record<string, string>;
  readonly #idempotent: boolean;
  #api: Child | undefined;
  #agentId = '';

  private constructor(parts: {
    database: Database;
    databaseUrl: string;
    tenantId: string;
    apiKey: string;
    environment: Record<string, string>;
    idempotent: boolean;
  }) {
    this.database = parts.database;
    this.databaseUrl = parts.databaseUrl;
    this.tenantId = parts.tenantId;
    this.apiKey = parts.apiKey;
    this.#environment = parts.environment;
    this.#idempotent = parts.idempotent;
    this.name = parts.idempotent ? 'turnpike with Idempotency-Key' : 'turnpike';
  }

  static async start(stage: Stage, options: TurnpikeOptions): Promise<Turnpike> {
    const { url } = await createTestDatabase(stage.postgresUrl);
    const database = openDatabase({ url, poolSize: 4, applicationName: 'bench', onError: () => undefined });
    const tenantId = await createTenant(database, 'Bench', { operatorKey: true });
    await changeLimits(database.pool, tenantId, LIMITS);
    const { key } = await createApiKey(database.pool, { tenantId, name: 'bench', scopes: ['admin'] });
    const environment = {
      DATABASE_URL: url,
      BACKPLANE_URL: stage.redisUrl,
      BACKPLANE_PREFIX: `bench-${randomUUID().slice(0, 8)}`,
      TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
      ANTHROPIC_API_KEY: 'sk-ant-bench-0123456789',
      ANTHROPIC_BASE_URL: stage.modelUrl,
      EGRESS_ALLOW: '127.0.0.1',
      HOST: '127.0.0.1',
      PORT: '0',
      ...options.environment,
    };
    const idempotent = options.idempotent ?? false;
    const turnpike = new Turnpike({
      database,
      databaseUrl: url,
      tenantId,
      apiKey: key,
      environment,
      idempotent,
    });
    turnpike.#api = await Child.start('dist/api.js', environment);
    await turnpike.addWorkers(options.workers);
    const wire = turnpike.wire();
    const agent = await wire.request('POST', '/v1/agents', {
      name: 'bench',
      model: 'claude-sonnet-4-5',
      ...options.agent,
    });
    await wire.close();
    turnpike.#agentId = idSchema.parse(agent).id;
    return turnpike;
  }

  get api(): Child {
    if (this.#api === undefined) throw new Error('The API was not started.');
    return this.#api;
  }

  get agentId(): string {
    return this.#agentId;
  }

  get url(): string {
    return `http://127.0.0.1:${this.api.port}`;
  }

  get processes(): Record<string, number> {
    const workers = this.workers.map(({ pid }, index) => [`worker ${index + 1}`, pid] as const);
    return { api: this.api.pid, ...Object.fromEntries(workers) };
  }

  /** The headers of each request. */
  get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.apiKey}` };
  }

  wire(): Wire {
    return new Wire(this.url, this.headers);
  }

  async addWorkers(count: number): Promise<void> {
    const start = (): Promise<Child> => Child.start('dist/worker.js', this.#environment);
    this.workers.push(...(await Promise.all(Array.from({ length: count }, start))));
  }

  /** Ends all workers, and starts new ones. */
  async replaceWorkers(count: number): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.stop()));
    await this.addWorkers(count);
  }

  async submit(wire: Wire, input = 'Hello.'): Promise<string> {
    const turn = await wire.request(
      'POST',
      '/v1/turns',
      { agent_id: this.#agentId, input },
      this.#idempotent ? { ...this.headers, 'idempotency-key': randomUUID() } : this.headers,
    );
    return idSchema.parse(turn).id;
  }

  async untilDone(wire: Wire, id: string): Promise<void> {
    for (;;) {
      const turn = await wire.request('GET', `/v1/turns/${id}?wait=60`, undefined, this.headers);
      const { status } = turnSchema.parse(turn);
      if (status === 'completed') return;
      if (FINAL.has(status)) throw new Error(`${id} is ${status}: ${JSON.stringify(turn['error'])}`);
    }
  }

  async countOpen(): Promise<number> {
    const { rows } = await this.database.pool.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM turns
       WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling')`,
    );
    return rows[0]?.open ?? 0;
  }

  async stop(): Promise<void> {
    await Promise.all([this.api, ...this.workers].map((child) => child.stop()));
    await this.database.close();
  }
}
