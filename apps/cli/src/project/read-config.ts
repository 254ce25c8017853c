import { fork } from 'node:child_process';
import { Failure } from '../failure.ts';
import { PROGRAMS, REGISTER, shown } from '../paths.ts';
import { configMessageSchema, type ConfigAgent } from './config-message.ts';

const LIMIT_MS = 60_000;

/**
 * The agents that a config defines. It is loaded in a process of its own, which ends then. Throws a `Failure` with file
 * and line where it cannot be.
 */
export async function readConfigAgents(
  path: string,
  environment: Record<string, string>,
): Promise<ConfigAgent[]> {
  const child = fork(PROGRAMS.describeConfig, [path], {
    env: environment,
    execArgv: ['--import', REGISTER],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000);
  });
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.on('message', (message) => {
      const parsed = configMessageSchema.safeParse(message);
      if (!parsed.success) return;
      if (parsed.data.type === 'config') resolve(parsed.data.agents);
      if (parsed.data.type === 'failed') reject(new Failure(`${shown(path)}: ${parsed.data.message}`));
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      const how = signal === null ? `exit code ${code}` : `not loaded within ${LIMIT_MS / 1000} s`;
      const why =
        errors
          .trim()
          .split('\n')
          .findLast((line) => line.trim() !== '') ?? '';
      // After a message this changes nothing.
      reject(new Failure(`${shown(path)} ended its process while it was loaded (${how}). ${why}`));
    });
  });
}
