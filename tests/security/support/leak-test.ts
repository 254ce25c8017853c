import { randomBytes } from 'node:crypto';
import { openDatabase, type Database } from '@turnpike/store';
import type { Agent } from '@turnpike/contract';
import { runTurnpike } from '../../tenants/support/run-turnpike.ts';
import { Cluster, type HttpResponse } from '../../support/cluster.ts';
import { freePort } from '../../support/free-port.ts';
import type { Program } from '../../support/program.ts';
import { startRedis, type RedisServer } from '../../support/redis-server.ts';
import { untilTrue } from '../../support/until-true.ts';
import { canaryOf, uniqueText, type Canary } from './canary.ts';
import { LEAKY_TOOLS, LeakyTools } from './leaky-tools.ts';
import { faultsThatSay, scriptOf } from './model-cases.ts';
import { readPostgres } from './read-postgres.ts';
import { plantInRedis, readRedis, REDIS_TYPES } from './read-redis.ts';

/** Somewhere that a secret could be. `controls` are in it for certain: a scan that does not find them is blind. */
export interface Source {
  name: string;
  controls: string[];
  read(): Promise<string> | string;
}

const CRASH = new URL('./crash-on-signal.mjs', import.meta.url).href;
const BREAK = new URL('../../chaos/support/break.mjs', import.meta.url).href;
const TURN_MS = 60_000;
/** More lines than that are not kept by `startProgram`. */
const MOST_LINES = 5_000;

/** A whole Turnpike whose every secret is a canary, and all that comes out of it. */
export class LeakTest {
  readonly canaries: Canary[] = [];
  readonly control = uniqueText('control-');
  readonly #answers: string[] = [];
  readonly #statuses = new Set<string>();
  readonly #programs = new Map<string, Program>();
  #cluster: Cluster | null = null;
  #tools: LeakyTools | null = null;
  #redis: RedisServer | null = null;
  #admin: Database | null = null;
  #role = '';
  #paths = new Set<string>();
  #metricsPorts = { api: 0, worker: 0 };
  #streams = '';

  /** Starts it; `isBroken`: a build that hides nothing. */
  static async start({ isBroken = false } = {}): Promise<LeakTest> {
    const trial = new LeakTest();
    try {
      await trial.#start(isBroken);
      return trial;
    } catch (error) {
      await trial.stop();
      throw error;
    }
  }

  /** Turns that succeed and fail in every way, and then crashes. */
  async play(): Promise<void> {
    const tools = await this.#putSecrets();
    await this.#switchDebugOn();
    await this.#playModels(this.#secret('operator model key'));
    if (this.#paths.has('/v1/model_settings')) await this.#playTenantKey();
    await this.#playTools(tools);
    await this.#playProblems();
    await this.#crash();
  }

  /** All of them. One more is one more entry here. */
  sources(): Source[] {
    const { control } = this;
    const logs = [...this.#programs].map(([name, program]): Source => ({
      name: `log of ${name}`,
      controls: [control],
      read: () => {
        if (program.lines.length >= MOST_LINES) throw new Error(`${name} said more than is kept.`);
        return program.lines.join('\n');
      },
    }));
    const more: Source[] = [];
    if (this.#streams !== '') {
      more.push({ name: 'SSE', controls: [control], read: () => this.#streams });
    }
    if (this.#paths.has('/v1/webhook_endpoints')) {
      // The body of a webhook is all that it says: its signature is none of the secrets.
      more.push({
        name: 'webhooks',
        controls: ['turn.'],
        read: () => this.#need(this.#tools).received.join('\n'),
      });
    }
    return [
      ...logs,
      { name: 'HTTP answers', controls: [control], read: () => this.#answers.join('\n') },
      { name: 'Postgres', controls: [control], read: () => readPostgres(this.#need(this.#admin)) },
      {
        name: 'Redis',
        controls: REDIS_TYPES.map((type) => `${control}-${type}`),
        read: () => readRedis(this.#need(this.#redis).url),
      },
      { name: 'metrics', controls: ['turnpike_'], read: () => this.#metrics },
      ...more,
    ];
  }
  #metrics = '';

  /** `METHOD status` of all answers. */
  get statuses(): ReadonlySet<string> {
    return this.#statuses;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.end('SIGKILL')));
    await this.#cluster?.stop();
    await this.#tools?.stop();
    await this.#redis?.stop();
    if (this.#admin !== null) {
      await this.#admin.close();
      const server = openDatabase({
        url: serverUrl(),
        poolSize: 1,
        applicationName: 't',
        onError: () => undefined,
      });
      await server.pool.query(`DROP ROLE IF EXISTS ${this.#role}`);
      await server.close();
    }
  }

  async #start(isBroken: boolean): Promise<void> {
    const redisPassword = this.#plant('Redis password', uniqueText('redis'));
    const databasePassword = this.#plant('database password', uniqueText('postgres'));
    const modelKey = this.#plant('operator model key', uniqueText('operator-key-', '+/x'));
    const masterKey = randomBytes(32);
    this.canaries.push(canaryOf('master key', masterKey));
    const masterText = this.#plant('master key, as it is given', masterKey.toString('base64'));
    this.#redis = await startRedis({ password: redisPassword });
    if (this.#redis === null) throw new Error('There is no redis-server.');
    this.#tools = await LeakyTools.start();
    this.#metricsPorts = { api: await freePort(), worker: await freePort() };
    const cluster = await Cluster.start({
      workers: 0,
      backplaneUrl: this.#redis.url,
      environment: {
        TURNPIKE_MASTER_KEYS: `canary:${masterText}`,
        ANTHROPIC_API_KEY: modelKey,
        EGRESS_ALLOW: '127.0.0.1',

        CANARY_CONTROL: this.control,
        ...(isBroken ? { CHAOS_BREAK: 'redaction-off' } : {}),
      },
    });
    this.#cluster = cluster;
    this.canaries.push(canaryOf('API key', cluster.apiKey));
    const url = new URL(cluster.databaseUrl);
    this.#admin = openDatabase({
      url: url.href,
      poolSize: 2,
      applicationName: 't',
      onError: () => undefined,
    });
    this.#role = `canary_${randomBytes(6).toString('hex')}`;
    await this.#admin.pool.query(`CREATE ROLE ${this.#role} LOGIN SUPERUSER PASSWORD '${databasePassword}'`);
    url.username = this.#role;
    url.password = databasePassword;
    // The first one knew another password.
    await cluster.api?.end('SIGKILL');
    const preload = ['--import', CRASH, ...(isBroken ? ['--import', BREAK] : [])];
    const settings = { DATABASE_URL: url.href };
    const { api, worker } = this.#metricsPorts;
    const ofApi = { ...settings, METRICS_PORT: String(api) };
    this.#programs.set('the API', await cluster.startApi(ofApi, preload));
    const ofWorker = { ...settings, METRICS_PORT: String(worker) };
    this.#programs.set('the worker', await cluster.startWorker(ofWorker, preload));
    const { body } = await this.#ask('GET', '/openapi.json');
    this.#paths = new Set(Object.keys((body as { paths: object }).paths));
    this.#answers.splice(0);
  }

  /** Values go in at every door of the API. Returns the names of the tools. */
  async #putSecrets(): Promise<string[]> {
    const { url } = this.#need(this.#tools);
    const value = this.#plant('tool secret', uniqueText('tool-secret-', '+/&"\\x'));
    await this.#ask('PUT', '/v1/secrets/crm', { value });
    await this.#ask('PUT', '/v1/secrets/scheme', {
      value: `Bearer ${this.#plant('bearer of a tool', uniqueText('bearer-'))}`,
    });
    await this.#askOnce('POST', '/v1/api_keys', { name: 'another', scopes: ['admin'] }, 'key');
    for (const name of LEAKY_TOOLS) {
      const tool = {
        name,
        description: 'Repeats its input.',
        input_schema: { type: 'object' },
        url: `${url}/${name}`,
        headers: { 'X-Crm': { secret: 'crm' }, Authorization: { secret: 'scheme' } },
        timeout_ms: 1_000,
      };
      await this.#askOnce('POST', '/v1/tools', tool, 'signing_secret');
    }
    if (this.#paths.has('/v1/webhook_endpoints')) {
      await this.#askOnce('POST', '/v1/webhook_endpoints', { url: `${url}/webhook` }, 'signing_secret');
    }
    await plantInRedis(this.#need(this.#redis).url, (type) => `${this.control}-${type}`);
    return LEAKY_TOOLS;
  }

  async #switchDebugOn(): Promise<void> {
    const cluster = this.#need(this.#cluster);
    const settings = { DATABASE_URL: cluster.databaseUrl };
    await this.#runTurn('before');
    const worker = this.#programs.get('the worker');
    if (worker?.lines.some((line) => line.includes(this.control))) {
      throw new Error('What a turn says was logged, and debug was not switched on.');
    }
    const ended = await runTurnpike(
      ['tenants', 'debug', cluster.tenantId, 'on', '--minutes', '30'],
      settings,
    );
    if (ended.code !== 0) throw new Error(ended.reportedErrors);
    let round = 0;
    await untilTrue('the switch works', async () => {
      await this.#runTurn(`switched-${round++}`);
      return worker?.lines.some((line) => line.includes(this.control)) === true;
    });
  }

  async #playModels(secret: string): Promise<void> {
    const faults = faultsThatSay(secret);
    const models = [...Object.keys(faults), 'refuses'];
    await this.#need(this.#cluster).control.setScript(scriptOf(faults, this.control, []));
    await Promise.all(models.map((model) => this.#runTurn(model)));
  }

  /** The same with a key of the tenant's own. */
  async #playTenantKey(): Promise<void> {
    const key = this.#plant('tenant model key', uniqueText('tenant-key-', '+/x'));
    await this.#ask('PUT', '/v1/secrets/model', { value: key });
    await this.#ask('PUT', '/v1/model_settings', { keys: ['model'] });
    await this.#playModels(key);
  }

  async #playTools(names: string[]): Promise<void> {
    await this.#need(this.#cluster).control.setScript(scriptOf({}, this.control, names));
    await this.#runTurn('calls-tools', { tools: names.map((name) => ({ type: 'http', name })) });
    for (const port of Object.values(this.#metricsPorts))
      this.#metrics += await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  }

  /** What is refused must not be said back. */
  async #playProblems(): Promise<void> {
    const secret = this.#secret('tool secret');
    await this.#ask('PUT', '/v1/secrets/crm', { value: { inside: secret } });
    await this.#ask('PUT', '/v1/secrets/crm', { valu: secret });
    await this.#ask('POST', '/v1/agents', { name: 'x' });
    await this.#ask('GET', '/v1/turns', undefined, {
      authorization: `Bearer ${this.#secret('operator model key')}`,
    });
    await this.#ask('GET', '/v1/nowhere');
    for (const path of ['/v1/secrets', '/v1/tools', '/v1/api_keys', '/v1/audit_entries', '/v1/agents']) {
      await this.#ask('GET', path);
    }
  }

  /** Programs that are made to crash while they know all of it, by an error that says it. */
  async #crash(): Promise<void> {
    const [api, worker] = [this.#programs.get('the API'), this.#programs.get('the worker')];
    for (const [program, signal] of [
      [api, 'SIGUSR2'],
      [worker, 'SIGHUP'],
    ] as const) {
      program?.process.kill(signal);
      await untilTrue('it crashed', () => program?.process.exitCode === 1);
      await untilTrue('it said so', () => program?.lines.some((line) => line.includes('crashed')) === true);
    }
  }

  async #runTurn(model: string, config: Record<string, unknown> = {}): Promise<void> {
    const agent = await this.#ask('POST', '/v1/agents', { name: model, model, ...config });
    const { id } = agent.body as Agent;
    const input = `${this.control}, asked of ${model}`;
    const submitted = await this.#ask('POST', '/v1/turns', { agent_id: id, input });
    const turn = submitted.body as { id: string; session_id: string };
    const ends = ['completed', 'failed', 'incomplete'];
    const end = Date.now() + TURN_MS;
    for (let status = ''; !ends.includes(status);) {
      status = ((await this.#ask('GET', `/v1/turns/${turn.id}?wait=2`)).body as { status: string }).status;
      if (Date.now() > end) throw new Error(`${turn.id} of ${model} is ${status}.`);
    }
    await this.#ask('GET', `/v1/turns/${turn.id}/steps`);
    await this.#ask('GET', `/v1/sessions/${turn.session_id}/messages?limit=100`);
    if (this.#paths.has('/v1/turns/{turn_id}/events')) {
      // It has ended, and so does the stream.
      this.#streams += (await this.#askText(`/v1/turns/${turn.id}/events`)).text;
    }
  }

  async #askText(path: string): Promise<{ status: number; text: string }> {
    const { api, apiKey } = this.#need(this.#cluster);
    const headers = { authorization: `Bearer ${apiKey}`, accept: 'text/event-stream, text/plain' };
    const signal = AbortSignal.timeout(TURN_MS);
    const answer = await fetch(`http://127.0.0.1:${String(api?.hello['port'])}${path}`, { headers, signal });
    return { status: answer.status, text: await answer.text() };
  }

  async #ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<HttpResponse> {
    // Logged by the API as the client's own name for the request: the control of its log.
    const answer = await this.#need(this.#cluster).request(method, path, body, {
      'x-request-id': this.control,
      ...headers,
    });
    this.#answers.push(
      JSON.stringify([...answer.headers]),
      JSON.stringify(answer.body),
      ...textsIn(answer.body),
    );
    this.#statuses.add(`${method} ${answer.status}`);
    return answer;
  }

  /** An answer that shows a secret, this once: that field is not kept, and is a canary from now on. */
  async #askOnce(method: string, path: string, body: unknown, field: string): Promise<void> {
    let answer = await this.#need(this.#cluster).request(method, path, body);
    // On a machine that is busy with other things, looking at a schema may take longer than it may.
    for (let again = 0; JSON.stringify(answer.body).includes('takes too long') && again < 20; again++) {
      answer = await this.#need(this.#cluster).request(method, path, body);
    }
    const { [field]: shown, ...rest } = answer.body as Record<string, unknown>;
    if (typeof shown !== 'string')
      throw new Error(`${path} showed no ${field}: ${JSON.stringify(answer.body)}`);
    this.#answers.push(JSON.stringify(rest));
    this.canaries.push(canaryOf(`${field} of ${path}`, shown));
    if (shown.startsWith('whsec_')) {
      this.canaries.push(canaryOf(`bytes of the ${field} of ${path}`, Buffer.from(shown.slice(6), 'base64')));
    }
  }

  #plant(name: string, value: string): string {
    this.canaries.push(canaryOf(name, value));
    return value;
  }

  #secret(name: string): string {
    return this.#need(this.canaries.find((canary) => canary.name === name)).bytes.toString();
  }

  #need<Part>(part: Part | null | undefined): Part {
    if (part === null || part === undefined) throw new Error('The trial was not started.');
    return part;
  }
}

function serverUrl(): string {
  const url = process.env['TEST_DATABASE_URL'];
  if (url === undefined) throw new Error('TEST_DATABASE_URL is not set.');
  return url;
}

/** Every text in a body as it is, beside those as JSON has them. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
