import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { mustRun, REPOSITORY } from '../../packages/installed.ts';

const EXAMPLE = join(REPOSITORY, 'examples/vite-chat');

/** The page of `examples/vite-chat`, built, and its own server as a process. */
export interface ChatPage {
  port: number;
  stop(): Promise<void>;
}

export async function serveChatPage(settings: {
  url: string;
  apiKey: string;
  agent: string;
}): Promise<ChatPage> {
  const site = mkdtempSync(join(tmpdir(), 'turnpike-test-page-'));
  const vite = join(REPOSITORY, 'node_modules/vite/bin/vite.js');
  const words = ['build', EXAMPLE, '--outDir', site, '--emptyOutDir', '--logLevel', 'warn'];
  await mustRun(process.execPath, [vite, ...words], EXAMPLE);
  const child = spawn(process.execPath, [join(EXAMPLE, 'server/serve.mjs')], {
    env: {
      PATH: process.env['PATH'],
      TURNPIKE_URL: settings.url,
      TURNPIKE_KEY: settings.apiKey,
      AGENT: settings.agent,
      PORT: '0',
      SITE: site,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = Number(new URL(await firstLine(child)).port);
  return {
    port,
    async stop() {
      const exited = once(child, 'exit');
      if (child.kill('SIGKILL')) await exited;
      rmSync(site, { recursive: true });
    },
  };
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('The server has no output.');
  for await (const line of createInterface({ input: stdout })) return line;
  throw new Error('The server of the page ended.');
}
