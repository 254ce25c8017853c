import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { startModelSim, SimControl, type ModelSim } from '@turnpike/model-sim';
import { createApiKey, createTenant, openDatabase, type Database } from '@turnpike/store';
import type { Agent, Turn, TurnStatus } from '@turnpike/contract';
import { TEST_MASTER_KEYS } from './master-keys.ts';
import { startProgram, type Program } from './program.ts';
import { findSharedCluster, RECONCILE_EVERY_MS, sharedLog } from './shared-cluster.ts';
import { createTestDatabase } from './test-database.ts';

export interface ClusterOptions {
  workers: number;
  /** Default: the Redis of the tests where there is one, else the database. */
  backplaneUrl?: string;
  /** Default: the Postgres of the tests. */
  postgresUrl?: string;
  /** One that is migrated already, and stays. Default: a new one on that Postgres. */
  databaseUrl?: string;
  /** A program of the test's own, which starts a worker with its tools. Default: the worker without tools. */
  workerPath?: string;
  /** For all programs. */
  environment?: Record<string, string>;
}

export interface HttpResponse {
  status: number;
  headers: Headers;
  body: unknown;
}

/**
 * A whole Turnpike: a database, the model simulator, an API and workers, as real processes. Either a separate one
 * (`start`), or a tenant of the one that test files share (`join`).
 */
export class Cluster {
  readonly databaseUrl: string;
  readonly database: Database;
  readonly model: ModelSim;
  readonly control: SimControl;
  readonly tenantId: string;
  readonly apiKey: string;
  readonly workers: Program[] = [];
  api: Program | null = null;
  readonly #environment: Record<string, string>;
  readonly #dropDatabase: () => Promise<void>;
  readonly #sharedUrl: string | null;
  readonly #workerPath: string | undefined;

  private constructor(parts: {
    databaseUrl: string;
    database: Database;
    model: ModelSim;
    tenantId: string;
    apiKey: string;
    environment: Record<string, string>;
    dropDatabase: () => Promise<void>;
    sharedUrl: string | null;
    workerPath?: string | undefined;
  }) {
    this.#workerPath = parts.workerPath;
    this.databaseUrl = parts.databaseUrl;
    this.database = parts.database;
    this.model = parts.model;
    this.control = new SimControl(parts.model.controlUrl);
    this.tenantId = parts.tenantId;
    this.apiKey = parts.apiKey;
    this.#environment = parts.environment;
    this.#dropDatabase = parts.dropDatabase;
    this.#sharedUrl = parts.sharedUrl;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const { url, drop } =
      options.databaseUrl === undefined
        ? await createTestDatabase(options.postgresUrl)
        : { url: options.databaseUrl, drop: () => Promise.resolve() };
    const database = openDatabase({ url, poolSize: 5, applicationName: 'test', onError: () => undefined });
    const tenantId = await createTenant(database, 'Acme', { operatorKey: true });
    const { key } = await createApiKey(database.pool, { tenantId, name: 'test', scopes: ['admin'] });
    const model = await startModelSim({ port: 0 });
    const cluster = new Cluster({
      databaseUrl: url,
      database,
      model,
      tenantId,
      apiKey: key,
      dropDatabase: drop,
      sharedUrl: null,
      workerPath: options.workerPath,
      environment: {
        DATABASE_URL: url,
        BACKPLANE_URL: options.backplaneUrl ?? process.env['TEST_REDIS_URL'] ?? url,
        BACKPLANE_PREFIX: `t-${randomUUID()}`,
        TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
        ANTHROPIC_API_KEY: 'sk-ant-test-0123456789',
        ANTHROPIC_BASE_URL: model.url,
        HOST: '127.0.0.1',
        PORT: '0',
        LOG_LEVEL: 'debug',
        RECONCILE_EVERY_MS,
        ...options.environment,
      },
    });
    await cluster.startApi();
    await Promise.all(Array.from({ length: options.workers }, () => cluster.startWorker()));
    return cluster;
  }

  /**
   * A tenant of the cluster that test files share. Its model API is a simulator of this file's, at an address of the
   * tenant's. For tests that need no other environment, and kill no program.
   */
  static async join(): Promise<Cluster> {
    const { databaseUrl, apiUrl } = await findSharedCluster();
    const database = openDatabase({
      url: databaseUrl,
      poolSize: 5,
      applicationName: 'test',
      onError: () => undefined,
    });
    const tenantId = await createTenant(database, randomUUID());
    const { key } = await createApiKey(database.pool, { tenantId, name: 'test', scopes: ['admin'] });
    const model = await startModelSim({ port: 0 });
    const cluster = new Cluster({
      databaseUrl,
      database,
      model,
      tenantId,
      apiKey: key,
      dropDatabase: () => Promise.resolve(),
      sharedUrl: apiUrl,
      environment: {},
    });
    await cluster.#mustDo('PUT', '/v1/secrets/model', { value: 'sk-ant-test-0123456789' });
    await cluster.#mustDo('PUT', '/v1/model_settings', { keys: ['model'], base_url: model.url });
    return cluster;
  }

  async #mustDo(method: string, path: string, body: unknown): Promise<void> {
    const { status, body: said } = await this.request(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path} returned ${status}: ${JSON.stringify(said)}`);
  }

  /** Where the API is. */
  get url(): string {
    return this.#sharedUrl ?? `http://127.0.0.1:${String(this.api?.hello['port'])}`;
  }

  async startApi(
    environment: Record<string, string> = {},
    nodeOptions: readonly string[] = [],
  ): Promise<Program> {
    this.api = await startProgram('api', { ...this.#environment, ...environment }, nodeOptions);
    return this.api;
  }

  async startWorker(
    environment: Record<string, string> = {},
    nodeOptions: readonly string[] = [],
  ): Promise<Program> {
    const all = { ...this.#environment, ...environment };
    const worker = await startProgram('worker', all, nodeOptions, this.#workerPath);
    this.workers.push(worker);
    return worker;
  }

  async request(method: string, path: string, body?: unknown, headers = {}): Promise<HttpResponse> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : JSON.parse(text),
    };
  }

  async createAgent(config: Record<string, unknown> = {}): Promise<Agent> {
    const { body } = await this.request('POST', '/v1/agents', {
      name: 'test',
      model: 'claude-sonnet-4-5',
      ...config,
    });
    return body as Agent;
  }

  /** Registers an HTTP tool; `fields` are what differs from a plain one. Returns its signing secret. */
  async createTool(fields: Record<string, unknown>): Promise<string> {
    const tool = { description: 'Does something.', input_schema: { type: 'object' }, ...fields };
    const send = (): Promise<HttpResponse> => this.request('POST', '/v1/tools', tool);
    let response = await send();
    // On a busy machine the check of a schema may take longer than it may.
    for (let again = 0; JSON.stringify(response.body).includes('takes too long') && again < 20; again++) {
      response = await send();
    }
    if (response.status !== 201) throw new Error(`The tool was refused: ${JSON.stringify(response.body)}`);
    return (response.body as { signing_secret: string }).signing_secret;
  }

  /** Submits a turn; with an agent's id, one that makes its session. */
  async submit(
    to: { agentId: string } | { sessionId: string },
    input: string,
    options: Record<string, unknown> = {},
  ): Promise<Turn> {
    const [path, target] =
      'agentId' in to ? ['/v1/turns', { agent_id: to.agentId }] : [`/v1/sessions/${to.sessionId}/turns`, {}];
    // As a client does it: sent again with its key while the service says that it cannot take it now.
    const headers = { 'idempotency-key': randomUUID() };
    const send = (): Promise<HttpResponse> =>
      this.request('POST', path, { ...target, input, ...options }, headers);
    let answer = await send();
    for (let again = 0; answer.status === 503 && again < 20; again++) {
      await delay(500);
      answer = await send();
    }
    if (answer.status !== 202) throw new Error(`Not accepted: ${JSON.stringify(answer.body)}`);
    return answer.body as Turn;
  }

  async read(turnId: string): Promise<Turn> {
    return (await this.request('GET', `/v1/turns/${turnId}`)).body as Turn;
  }

  async cancel(turnId: string): Promise<Turn> {
    return (await this.request('POST', `/v1/turns/${turnId}/cancel`)).body as Turn;
  }

  /** The texts of a session's conversation, with the role before each. */
  async conversation(sessionId: string): Promise<string[]> {
    const { body } = await this.request('GET', `/v1/sessions/${sessionId}/messages?limit=100`);
    const { items } = body as { items: { role: string; content: Record<string, unknown>[] }[] };
    return items.map(({ role, content }) => `${role}: ${content.map(describeBlock).join(' ')}`);
  }

  /** Waits, by long polls, until the turn has ended. */
  untilEnded(turnId: string, limitMs = 240_000): Promise<Turn> {
    return this.until(turnId, ['completed', 'failed', 'cancelled', 'incomplete'], limitMs);
  }

  /** Waits, by long polls, until the turn has one of these statuses. */
  async until(turnId: string, statuses: readonly TurnStatus[], limitMs = 240_000): Promise<Turn> {
    const end = Date.now() + limitMs;
    for (;;) {
      const { body } = await this.request('GET', `/v1/turns/${turnId}?wait=2`);
      const turn = body as Turn;
      if (statuses.includes(turn.status)) return turn;
      if (Date.now() > end) throw new Error(`${turnId} is still ${turn.status}.\n${this.logs()}`);
    }
  }

  /** The newest log lines of the programs: for a test that failed. */
  logs(): string {
    if (this.#sharedUrl !== null) {
      return (['api', 'worker'] as const)
        .map((name) => newestLines(readFileSync(sharedLog(name), 'utf8')))
        .join('\n');
    }
    return [this.api, ...this.workers].flatMap((program) => program?.lines.slice(-40) ?? []).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([this.api, ...this.workers].map(async (program) => program?.end('SIGKILL')));
    await this.model.close();
    await this.database.close();
    await this.#dropDatabase();
  }
}

const newestLines = (log: string): string => log.split('\n').slice(-40).join('\n');

function describeBlock(block: Record<string, unknown>): string {
  if (block['type'] === 'text') return String(block['text']);
  if (block['type'] === 'tool_use') return `(calls ${String(block['name'])})`;
  return `(${String(block['type'])}: ${JSON.stringify(block['content'])})`;
}
