import { fileURLToPath } from 'node:url';
import { Cluster } from '../../support/cluster.ts';
import type { Program } from '../../support/program.ts';
import { EffectServer, TOOL_EFFECTS, type ToolEffect } from './effect-server.ts';

const CODE_WORKER = fileURLToPath(new URL('code-worker.mjs', import.meta.url));
/** Short leases, so that what is lost is found in moments; no turn is given up for the workers it lost. */
const LEASE_MS = 1_500;
const FAST = {
  LEASE_MS: String(LEASE_MS),

  JOB_AGE_MS: '500',
  MAX_LOST_LEASES: '1000',
  EGRESS_ALLOW: '127.0.0.1',
};

export interface ChaosWorker {
  /** The end of the model key that it uses: so the simulator tells whose a call is. */
  name: string;
  program: Program;
}

export interface WorkerSettings {
  environment?: Record<string, string>;
  /** A module of this folder that the process loads before anything else. */
  preload?: string;
}

/** A worker that is broken on purpose; `breaks.mjs` says how. */
export function brokenBuild(
  name: 'fence-off' | 'receipts-off' | 'children-again' | 'steps-off',
): WorkerSettings {
  return { environment: { CHAOS_BREAK: name }, preload: 'break.mjs' };
}

export interface ChaosOptions {
  workers: number;
  backplaneUrl?: string;
  postgresUrl?: string;
  /** One that is migrated already, and stays. */
  databaseUrl?: string;
  environment?: Record<string, string>;
  /** The tools are in the workers' own code. Default: they are HTTP tools. */
  code?: boolean;
  /** For every worker, also those that are started later. */
  worker?: WorkerSettings;
}

/** A cluster beside a tool server that counts effects, and an agent with a tool of each effect. */
export class ChaosCluster {
  readonly cluster: Cluster;
  readonly effects: EffectServer;
  /** Those that run and claim turns. */
  readonly workers = new Set<ChaosWorker>();
  /** Names of workers that were frozen for a while. */
  readonly frozen = new Set<string>();
  agentId = '';
  readonly #settings: WorkerSettings;
  readonly #stoppers: (() => Promise<void>)[] = [];
  readonly #replacements = new Set<Promise<void>>();
  #started = 0;
  #stopped: Promise<void> | null = null;

  private constructor(cluster: Cluster, effects: EffectServer, settings: WorkerSettings) {
    this.cluster = cluster;
    this.effects = effects;
    this.#settings = settings;
  }

  static async start({
    workers,
    environment,
    worker,
    code = false,
    ...where
  }: ChaosOptions): Promise<ChaosCluster> {
    const effects = await EffectServer.start();
    const cluster = await Cluster.start({
      workers: 0,
      environment: { ...FAST, EFFECT_URLS: JSON.stringify(effects.urls), ...environment },
      ...(code ? { workerPath: CODE_WORKER } : {}),
      ...where,
    }).catch(async (error: unknown) => {
      await effects.stop();
      throw error;
    });
    const chaos = new ChaosCluster(cluster, effects, worker ?? {});
    try {
      if (!code) {
        await Promise.all(TOOL_EFFECTS.map((effect) => chaos.registerTool(effect, effects.urls[effect])));
      }
      const tools = TOOL_EFFECTS.map((name) => ({ type: code ? 'code' : 'http', name }));
      const startWorkers = () => Promise.all(Array.from({ length: workers }, () => chaos.startWorker()));
      // Tools in code are known once a worker has announced them.
      if (code) await startWorkers();
      chaos.agentId = await chaos.createAgent({ tools });
      if (!code) await startWorkers();
      return chaos;
    } catch (error) {
      await chaos.stop();
      throw error;
    }
  }

  /** `name` is the effect's unless the tool is a further one. */
  async registerTool(effect: ToolEffect, url: string, settings: Record<string, unknown> = {}): Promise<void> {
    await this.cluster.createTool({
      name: effect,
      description: `Does something that is ${effect}.`,
      input_schema: { type: 'object', properties: { turn: { type: 'string' } }, required: ['turn'] },
      url,
      effect,
      ...(effect === 'reconcile' ? { reconcile_url: this.effects.outcomeUrl } : {}),
      ...settings,
    });
  }

  async createAgent(config: Record<string, unknown> = {}): Promise<string> {
    const tools = TOOL_EFFECTS.map((name) => ({ type: 'http', name }));
    return (await this.cluster.createAgent({ tools, ...config })).id;
  }

  async startWorker(settings: WorkerSettings = this.#settings): Promise<ChaosWorker> {
    this.#started += 1;
    const name = `w${String(this.#started).padStart(3, '0')}`;
    const program = await this.cluster.startWorker(
      { ANTHROPIC_API_KEY: `sk-ant-test-${name}`, ...settings.environment },
      settings.preload === undefined ? [] : ['--import', new URL(settings.preload, import.meta.url).href],
    );
    const worker = { name, program };
    this.workers.add(worker);
    return worker;
  }

  /** Without a word. */
  async killWorker(worker: ChaosWorker): Promise<void> {
    this.workers.delete(worker);
    await worker.program.end('SIGKILL');
  }

  /** Starts another worker, and does not wait for it. */
  replaceWorker(): void {
    const replacement = this.startWorker().then(() => undefined);
    this.#replacements.add(replacement);
    // `untilReplaced` throws where one cannot start.
    replacement.then(
      () => this.#replacements.delete(replacement),
      () => undefined,
    );
  }

  get isReplacing(): boolean {
    return this.#replacements.size > 0;
  }

  async untilReplaced(): Promise<void> {
    await Promise.all(this.#replacements);
  }

  /** Returns its exit code. */
  async drainWorker(worker: ChaosWorker): Promise<number | null> {
    this.workers.delete(worker);
    return worker.program.end('SIGTERM');
  }

  freezeWorker(worker: ChaosWorker): void {
    this.frozen.add(worker.name);
    worker.program.process.kill('SIGSTOP');
  }

  thawWorker(worker: ChaosWorker): void {
    worker.program.process.kill('SIGCONT');
  }

  /** Something that goes on beside it, and must end before it does. */
  beforeStop(stop: () => Promise<void>): void {
    this.#stoppers.push(stop);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await Promise.allSettled(this.#stoppers.map((stop) => stop()));
    await Promise.allSettled(this.#replacements);
    await this.cluster.stop();
    await this.effects.stop();
  }
}
