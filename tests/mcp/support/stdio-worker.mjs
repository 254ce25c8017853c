// A worker whose code names MCP servers that it starts.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineMcpServer, startWorker } from '../../support/worker-library.mjs';

const fixture = fileURLToPath(new URL('stdio-server.mjs', import.meta.url));
const everything = dirname(
  createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json'),
);

await startWorker({
  mcpServers: [
    defineMcpServer({
      name: 'own',
      command: process.execPath,
      args: [fixture],
      env: { STDIO_ACTS: process.env.STDIO_ACTS ?? '', STDIO_SECRET: 'stdio-secret-0123456789' },
      processes: 2,
      maxMemoryMb: 600,
      timeoutMs: 30_000,
      overrides: { whoami: { effect: 'read' }, hoard: { timeoutMs: 600_000 }, stall: { timeoutMs: 3_000 } },
    }),
    defineMcpServer({
      name: 'all',
      command: process.execPath,
      args: [join(everything, 'dist/index.js'), 'stdio'],
      tools: ['echo', 'get-sum'],
    }),
    defineMcpServer({
      name: 'moody',
      command: process.execPath,
      args: [fileURLToPath(new URL('stdio-changing.mjs', import.meta.url))],
      processes: 1,
    }),
    defineMcpServer({
      name: 'broken',
      command: process.execPath,
      args: [fixture],
      env: { STDIO_BROKEN: '1' },
      startTimeoutMs: 5_000,
    }),
  ],
});
