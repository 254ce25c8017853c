import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
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

/**
 * Starts `dist/<name>.js` with just this environment, and waits until it says that it is ready. `nodeOptions` are for
 * node itself, such as `--import`; with them `apps/<name>/dist/main.js` is started, whose files hooks can rewrite.
 */
export async function startProgram(
  name: 'api' | 'worker',
  environment: Record<string, string>,
  nodeOptions: readonly string[] = [],
): Promise<Program> {
  countStart(name);
  const path = nodeOptions.length === 0 ? `dist/${name}.js` : `apps/${name}/dist/main.js`;
  const child = fork(fileURLToPath(new URL(path, ROOT)), {
    env: { PATH: process.env['PATH'], ...environment },
    execArgv: [...process.execArgv, ...nodeOptions],
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
  const hello = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, unknown>));
    child.once('close', (code) => reject(new Error(`${name} ended with ${code}:\n${lines.join('\n')}`)));
  });
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
