import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { countStart } from './count-start.ts';

const ROOT = new URL('../../', import.meta.url);
const MAX_LINES = 5_000;

/** A real process of one of our programs, from its built form. */
export interface Program {
  readonly process: ChildProcess;
  /** Its newest log lines. */
  readonly lines: string[];
  /** The first message that it sent: where it listens. */
  readonly hello: Record<string, unknown>;
  /** Sends a signal and waits for the end; returns the exit code, null after a kill. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const pathOf = (name: string): string => fileURLToPath(new URL(`dist/${name}.js`, ROOT));

/**
 * Starts `dist/<name>.js` with just this environment, and waits until it is ready. `nodeOptions` are for
 * node itself, such as `--import`. `path`: another program that does the same.
 */
export async function startProgram(
  name: 'api' | 'worker',
  environment: Record<string, string>,
  nodeOptions: readonly string[] = [],
  path = pathOf(name),
): Promise<Program> {
  countStart(name);
  const child = fork(path, {
    env: { PATH: process.env['PATH'], ...environment },
    // Without the options of jest's own processes.
    execArgv: [...nodeOptions],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > MAX_LINES) lines.splice(0, lines.length - MAX_LINES);
  };
  for (const input of [child.stdout, child.stderr]) {
    if (input !== null) createInterface({ input }).on('line', keep);
  }
  const hello = await untilReady(child, (code) => `${name} ended with ${code}:\n${lines.join('\n')}`);
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    process: child,
    lines,
    hello,
    async end(signal) {
      if (!isOver()) {
        const exited = once(child, 'exit');
        child.kill(signal);
        await exited;
      }
      return child.exitCode;
    },
  };
}

/**
 * Starts a program that outlives the process that starts it and must be ended by its id; its output goes to `logFile`.
 * Returns its first message and its process id.
 */
export async function startLastingProgram(
  name: 'api' | 'worker',
  environment: Record<string, string>,
  logFile: string,
): Promise<{ pid: number; hello: Record<string, unknown> }> {
  countStart(name);
  const log = openSync(logFile, 'a');
  const child = fork(pathOf(name), {
    env: { PATH: process.env['PATH'], ...environment },
    execArgv: [],
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const hello = await untilReady(child, (code) => `${name} ended with ${code}: see ${logFile}`);
  child.disconnect();
  child.unref();
  return { pid: Number(child.pid), hello };
}

function untilReady(
  child: ChildProcess,
  describeEnd: (code: number | null) => string,
): Promise<Record<string, unknown>> {
  return new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, unknown>));
    child.once('close', (code) => reject(new Error(describeEnd(code))));
  });
}
