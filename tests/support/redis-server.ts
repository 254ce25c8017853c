import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import type { Service } from './service.ts';

export interface RedisServer extends Service {
  port: number;
  /** By SIGKILL. */
  kill(): Promise<void>;
  /** On the same port, with nothing in it. */
  start(): Promise<void>;
}

export interface RedisSettings {
  password?: string;
  /** A node of a cluster, a sentinel and a replica have files of their own to write to. Default: neither. */
  kind?: 'single' | 'cluster' | 'sentinel';
  /** Further options of `redis-server`, as words. */
  options?: readonly string[];
}

/** A separate Redis, with nothing on disk; null where there is no `redis-server` on PATH. */
export async function startRedis({
  password = '',
  kind = 'single',
  options = [],
}: RedisSettings = {}): Promise<RedisServer | null> {
  if (spawnSync('redis-server', ['--version']).error !== undefined) return null;
  const port = await freePort();
  const folder =
    kind === 'single' && options.length === 0 ? null : await mkdtemp(join(tmpdir(), 'turnpike-test-redis-'));
  const words = ['--port', String(port), '--bind', '127.0.0.1'];
  if (kind !== 'sentinel') words.push('--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction');
  if (password !== '') words.push('--requirepass', password);
  if (folder !== null) words.push('--dir', folder);
  if (kind === 'cluster') words.push('--cluster-enabled', 'yes');
  if (kind === 'sentinel') {
    const file = join(folder ?? '', 'sentinel.conf');
    await writeFile(file, '');
    words.unshift(file);
    words.push('--sentinel');
  }
  words.push(...options);
  let server: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    server = await launch(words);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  };
  await start();
  return {
    url: `redis://${password === '' ? '' : `:${password}@`}127.0.0.1:${port}`,
    port,
    start,
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGTERM');
      if (folder !== null) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(words: readonly string[]): Promise<ChildProcess> {
  const server = spawn('redis-server', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}.`)));
    server.stdout.on('data', (text: Buffer) => {
      if (/Ready to accept connections|Sentinel ID is/.test(text.toString())) resolve();
    });
  });
  return server;
}
