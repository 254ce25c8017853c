import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

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

/** Starts `apps/<name>/dist/main.js` with just this environment, and waits until it says that it is ready. */
export async function startProgram(
  name: 'api' | 'worker',
  environment: Record<string, string>,
): Promise<Program> {
  const child = fork(fileURLToPath(new URL(`apps/${name}/dist/main.js`, ROOT)), {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines: string[] = [];
  const keep = (chunk: Buffer): void => {
    lines.push(...chunk.toString().trimEnd().split('\n'));
    if (lines.length > MAX_LINES) lines.splice(0, lines.length - MAX_LINES);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const hello = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, unknown>));
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${lines.join('\n')}`)));
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
