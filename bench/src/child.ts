import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { vitalsSchema, type Vitals } from './vitals.ts';

const ROOT = new URL('../../', import.meta.url);
const PROBE = fileURLToPath(new URL('bench/dist/probe.js', ROOT));
const KEPT_LINES = 50;

const helloSchema = z.looseObject({ port: z.int().optional() });

/** A program as a child process, with the probe loaded. */
export class Child {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Starts `program` (a path from the root of the repository), and waits until it is ready. */
  static async start(program: string, environment: Record<string, string>): Promise<Child> {
    const child = fork(fileURLToPath(new URL(program, ROOT)), {
      env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...environment },
      execArgv: ['--expose-gc', '--import', PROBE, ...(process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? [])],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const lines: string[] = [];
    const hello = new Promise<number>((resolve, reject) => {
      const say = (line: string): void => {
        lines.push(line);
        if (lines.length > KEPT_LINES) lines.shift();
        const url = /"url":"http:\/\/[^:"]+:(\d+)"/.exec(line)?.[1];
        if (url !== undefined) resolve(Number(url));
      };
      for (const input of [child.stdout, child.stderr]) {
        if (input !== null) createInterface({ input }).on('line', say);
      }
      child.on('message', (message) => {
        const parsed = helloSchema.safeParse(message);
        if (parsed.success && !('vitals' in parsed.data)) resolve(parsed.data.port ?? 0);
      });
      child.once('exit', (code) => reject(new Error(`${program} ended (${code}).\n${lines.join('\n')}`)));
    });
    return new Child(child, await hello);
  }

  /** What the process used since the last call, and its memory now. `collect`: after a garbage collection. */
  async vitals({ collect = false } = {}): Promise<Vitals> {
    const response = once(this.#process, 'message') as Promise<[{ vitals: unknown }]>;
    this.#process.send({ ask: 'vitals', collect });
    const [message] = await response;
    return vitalsSchema.parse(message.vitals);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    // A process that is killed writes no CPU profile.
    this.#process.kill(process.env['BENCH_NODE_OPTIONS'] === undefined ? 'SIGKILL' : 'SIGTERM');
    await exited;
  }
}
