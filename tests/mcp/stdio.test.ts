import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { answer, callsOf, callTools, outputOf } from './support/mcp-cluster.ts';

/* MCP servers that a worker's own code names, and that it starts. */

const folder = mkdtempSync(join(tmpdir(), 'stdio-'));
const actsFile = join(folder, 'acts');
const agents = new Map<string, string>();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({
    workers: 1,
    workerPath: fileURLToPath(new URL('support/stdio-worker.mjs', import.meta.url)),
    environment: { STDIO_ACTS: actsFile, LEASE_MS: '3000', RECONCILE_EVERY_MS: '100', JOB_AGE_MS: '300' },
  });
  await untilTrue('both servers have listed their tools', async () => {
    const names = (await listTools()).map(({ name }) => name);
    return SERVERS.every((server) => names.some((name) => name.startsWith(`${server}__`)));
  });
});
/** On a busy machine one of them may start too late for the first list. */
const SERVERS = ['all', 'own'];

async function listTools() {
  const { body } = await cluster.request('GET', '/v1/tools?limit=100');
  return z
    .object({ items: z.array(z.looseObject({ name: z.string(), effect: z.string().optional() })) })
    .parse(body).items;
}

afterAll(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

const acts = (): string[][] =>
  existsSync(actsFile)
    ? readFileSync(actsFile, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
    : [];

/** Calls one tool of a server in a turn. */
async function call(name: string, input: Record<string, unknown> = {}) {
  const known = agents.get(name);
  const agentId = known ?? (await cluster.createAgent({ tools: [{ type: 'code', name }] })).id;
  agents.set(name, agentId);
  return callTools(cluster, agentId, [{ name, input }]);
}

async function outputAfter(name: string, input: Record<string, unknown> = {}): Promise<string> {
  const turn = await call(name, input);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  return outputOf(cluster, turn.id);
}

const whoami = async () =>
  z
    .object({ pid: z.int(), environment: z.array(z.string()) })
    .parse(JSON.parse(await outputAfter('own__whoami')));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('the tools of a server are announced as tools in code, with their schemas and effects', async () => {
  const items = await listTools();
  expect(items.map(({ name }) => name).toSorted()).toEqual([
    'all__echo',
    'all__get-sum',
    'moody__change',
    'own__book',
    'own__erase',
    'own__hoard',
    'own__pay',
    'own__put',
    'own__secret',
    'own__stall',
    'own__whoami',
  ]);
  expect(JSON.stringify(items)).toContain('"idempotent"');
  const unknown = { name: 'x', model: 'claude-haiku-5-5', tools: [{ type: 'code', name: 'own__nothing' }] };
  expect((await cluster.request('POST', '/v1/agents', unknown)).status).toBe(400);
});

test('a process gets no more of the environment than its definition names, and what it has there is hidden', async () => {
  const { environment } = await whoami();
  const common = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'PWD', 'SHLVL', '_'];
  expect(environment.filter((name) => !common.includes(name))).toEqual(['STDIO_ACTS', 'STDIO_SECRET']);
  expect(await outputAfter('own__secret')).toBe('it is [secret]');
});

test('the reference server of the protocol works too, in protocol 2025-11-25', async () => {
  expect(await outputAfter('all__echo', { message: 'hello' })).toBe('Echo: hello');
});

test('one process serves call after call, and one that was killed is started again', async () => {
  const { pid } = await whoami();
  expect((await whoami()).pid).toBe(pid);
  process.kill(pid, 'SIGKILL');
  await untilTrue('it has ended', () => !isAlive(pid));
  expect((await whoami()).pid).not.toBe(pid);
});

test('a process that ends within a call: an idempotent call is made again, one that acts once has an unknown outcome', async () => {
  const once = await call('own__pay', { end: 'exit' });
  expect((await cluster.untilEnded(once.id)).status).toBe('completed');
  expect((await callsOf(cluster, once.id))[0]?.status).toBe('unknown');
  const again = await call('own__put', { end: 'exit' });
  await cluster.untilEnded(again.id);
  const [tried] = await callsOf(cluster, again.id);
  const of = (tool: string) => acts().filter(([name]) => name === tool);
  expect([of('pay').length, of('put').length > 1]).toEqual([1, true]);
  expect(new Set(of('put').map(([, id]) => id))).toEqual(new Set([tried?.id]));
});

test('a call that hangs ends with its time, and holds no process for others', async () => {
  await untilTrue('the server is started again', async () =>
    (await outputAfter('own__whoami')).startsWith('{'),
  );
  const hung = await call('own__stall', { end: 'hang' });
  await untilTrue('it hangs', () => acts().some(([name]) => name === 'stall'));
  expect(await outputAfter('own__whoami')).toContain('pid');
  await cluster.untilEnded(hung.id);
  expect(await outputOf(cluster, hung.id)).toContain('timed out: no result within 3000 ms');
});

test('a process that holds too much memory is ended, and its worker goes on', async () => {
  // By itself it would never respond, and its time is long.
  const turn = await call('own__hoard');
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect((await callsOf(cluster, turn.id))[0]?.status).toBe('unknown');
  await untilTrue('another process serves', async () => (await outputAfter('own__whoami')).startsWith('{'));
});

test('tools that have changed are announced anew, and the operator is told which', async () => {
  expect(await outputAfter('moody__change')).toBe('changed');
  await untilTrue('the new description is shown', async () => {
    const { body } = await cluster.request('GET', '/v1/tools?limit=100');
    return JSON.stringify(body).includes('Changed.');
  });
  expect(cluster.logs()).toContain('"changed":["moody__change"]');
});

test('a server asks a person, and a destructive tool waits for approval', async () => {
  const turn = await call('own__book');
  const waiting = await cluster.until(turn.id, ['requires_action']);
  expect(await answer(cluster, waiting, { action: 'accept', content: { people: 3 } })).toBe(202);
  await cluster.untilEnded(turn.id);
  expect(await outputOf(cluster, turn.id)).toBe('booked for 3');
  const erase = await call('own__erase');
  const asked = await cluster.until(erase.id, ['requires_action', 'completed']);
  expect(asked.required_action?.tool_calls[0]?.awaiting).toBe('approval');
  await cluster.cancel(erase.id);
});

test('the processes end with their worker, also one that was killed in the middle of a call that acts once', async () => {
  const { pid } = await whoami();
  const turn = await call('own__pay', { end: 'hang' });
  await untilTrue('it acts', () => acts().filter(([name]) => name === 'pay').length === 2);
  await cluster.workers.at(-1)?.end('SIGKILL');
  await untilTrue('the processes have ended', () => acts().every(([, , own]) => !isAlive(Number(own))));
  expect(isAlive(pid)).toBe(false);
  await cluster.startWorker();
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect((await callsOf(cluster, turn.id))[0]?.status).toBe('unknown');
  expect(acts().filter(([name]) => name === 'pay')).toHaveLength(2);
  const { pid: next } = await whoami();
  await cluster.workers.at(-1)?.end('SIGTERM');
  await untilTrue('it has ended', () => !isAlive(next));
});
