import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { createTestDatabase } from '../support/test-database.ts';
import { CommandLine, findProgram, projectFolder } from './command-line.ts';
import { askFrom, idOfAgent, idOfTurn, LIMIT_MS, readFrom, useProject, withRedis } from './use-project.ts';

const withCurl = findProgram('curl') === undefined ? test.skip : test;
const asRoot = process.getuid?.() === 0 ? test : test.skip;

const project = useProject();
/** The first start: it runs until the test that stops it, and the second start finds its data. */
let first: CommandLine;

test(
  'on a machine with only Node, start shows a turn that a tool helped to answer, and says that it is simulated',
  async () => {
    first = project.start();
    await first.untilUp();
    expect(first.output).toMatch(/Postgres .*embedded, data in \.turnpike\/postgres/);
    expect(first.output).toMatch(/Backplane .*Postgres as well: no redis-server on PATH/);
    expect(first.output).toMatch(/Model .*answers are simulated/);
    expect(first.output).toMatch(
      /queued[^]*in_progress[^]*calls current_time[^]*current_time says[^]*model answers[^]*completed[^]*It is .*Lisbon/,
    );
    expect(statSync(join(project.folder, '.turnpike/development-key')).mode & 0o777).toBe(0o600);
    expect(first.look().map(({ name }) => name)).toEqual([
      'postgres',
      'postgres server',
      'simulator',
      'api',
      'worker-1',
      'worker-2',
    ]);
    expect(await readFrom(first, `/v1/turns/${idOfTurn(first)}`)).toMatchObject({ status: 'completed' });
  },
  LIMIT_MS,
);

test(
  'a command beside it works on the same database, with nothing in its environment',
  async () => {
    const environmentFile = join(project.folder, '.turnpike/env');
    expect(statSync(environmentFile).mode & 0o777).toBe(0o600);
    // A shell that reads it has what the examples in docs/ name.
    const shell = spawnSync('sh', ['-c', '. .turnpike/env && echo "$API $KEY $AGENT"'], {
      cwd: project.folder,
      encoding: 'utf8',
    });
    const api = first.found(/API +(http:\S+)/);
    expect(shell.stdout).toBe(`${api} ${await first.key()} ${idOfAgent(first)}\n`);
    expect(await project.turnpike('tenants', 'list')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^ten_\w+ .* development\n$/),
      reportedErrors: '',
    });
    expect(await project.turnpike('keys', 'create', 'development', '--scope', 'turns:read')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^tp_live_\w+\n$/),
    });
    expect(await project.turnpike('secrets', 'rewrap', '--check')).toMatchObject({
      code: 0,
      reportedErrors: '',
    });
  },
  LIMIT_MS,
);

test(
  'webhooks to this machine are allowed, as start says, and receive shows them',
  async () => {
    expect(first.output).toMatch(/Allowed +tools and webhooks at 127\.0\.0\.0\/8,::1,localhost/);
    const receiver = new CommandLine(['receive', '--port', '0'], {
      folder: project.folder,
      environment: { PATH: project.path },
    });
    await receiver.untilSaid('Listening at');
    const url = `${receiver.found(/Listening at (http:\/\/127\.0\.0\.1:\d+)/)}/hooks`;
    const endpoint = await askFrom(first, 'POST', '/v1/webhook_endpoints', { url });
    expect(endpoint).toMatchObject({ object: 'webhook_endpoint', url });
    await askFrom(first, 'POST', `/v1/webhook_endpoints/${(endpoint as { id: string }).id}/ping`);
    await receiver.untilSaid('"type":"ping"');
    expect(receiver.output).toMatch(
      /\nPOST \/hooks\nwebhook-id: evt_\w+\nwebhook-timestamp: \d+\nwebhook-signature: v1,/,
    );
    await receiver.stop();
  },
  LIMIT_MS,
);

withCurl(
  'the lines that start prints submit a turn, read one and read its steps',
  async () => {
    const shell = spawn('sh', ['-c', first.shellLines], { cwd: project.folder, env: { PATH: project.path } });
    let output = '';
    shell.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = await once(shell, 'close');
    expect(code).toBe(0);
    const [submitted, turn, steps] = output
      .trim()
      .split('\n')
      .map((body) => JSON.parse(body) as unknown);
    expect(submitted).toMatchObject({ object: 'turn', status: 'queued', agent_id: idOfAgent(first) });
    expect(turn).toMatchObject({ id: idOfTurn(first), status: 'completed' });
    expect(steps).toMatchObject({ items: [{ type: 'model_call' }, { type: 'tool_calls' }, {}] });

    const id = (submitted as Turn).id;
    expect(await readFrom(first, `/v1/turns/${id}?wait=30`)).toMatchObject({ status: 'completed' });
    const docs = await fetch(first.found(/whole API: (\S+)/));
    expect(docs.status).toBe(200);
  },
  LIMIT_MS,
);

test(
  'one directory takes one start at a time',
  async () => {
    const second = await project.start().untilEnded();
    expect(second.code).toBe(1);
    expect(second.reportedErrors).toBe(
      `turnpike: Turnpike already runs here, as process ${first.process.pid}.\n`,
    );
    expect(await readFrom(first, `/v1/turns/${idOfTurn(first)}`)).toMatchObject({ status: 'completed' });
  },
  LIMIT_MS,
);

test(
  'Ctrl-C stops all of it with exit code 0, and removes what commands read',
  async () => {
    expect(await first.stop()).toMatchObject({ code: 0, reportedErrors: '' });
    expect(first.left()).toEqual([]);
    expect(existsSync(join(project.folder, '.turnpike/env'))).toBe(false);
  },
  LIMIT_MS,
);

withRedis(
  'a second start, with a redis-server on PATH now, finds tenant, key, agent and turns again',
  async () => {
    const key = await first.key();
    const second = project.start({ PATH: process.env['PATH'] ?? '' });
    await second.untilUp();
    expect(second.output).toMatch(/Backplane .*redis-server/);
    expect(second.output).not.toContain('Migrations');
    expect(await second.key()).toBe(key);
    expect(idOfAgent(second)).toBe(idOfAgent(first));
    expect(await readFrom(second, `/v1/turns/${idOfTurn(first)}`)).toMatchObject({ status: 'completed' });
    expect(second.look().map(({ name }) => name)).toContain('redis server');

    expect(await second.stop()).toMatchObject({ code: 0 });
    expect(second.left()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  'with DATABASE_URL, start keeps its data there and makes no Postgres; the usual port is only preferred',
  async () => {
    const { url, drop } = await createTestDatabase();
    // Where another program holds the port already, that does as well.
    const usual = createServer().on('error', () => undefined);
    usual.listen(3000, '127.0.0.1');
    const here = project.start({ DATABASE_URL: url, PORT: '' });
    await here.untilUp();
    usual.close();
    expect(here.output).toMatch(/API +http:\/\/127\.0\.0\.1:\d+ \(port 3000 is taken\)/);
    expect(here.output).toMatch(/Postgres +127\.0\.0\.1:\d+\/t_\w+, from DATABASE_URL/);
    expect(here.look().map(({ name }) => name)).toEqual(['simulator', 'api', 'worker-1', 'worker-2']);
    const key = await here.key();
    await here.stop();

    const elsewhere = projectFolder();
    project.alsoRemove(elsewhere);
    const second = project.start({ DATABASE_URL: url }, elsewhere);
    await second.untilUp();
    // This directory has no key yet; the tenant that gets one is the same, and so is its agent.
    expect(await second.key()).not.toBe(key);
    expect(idOfAgent(second)).toBe(idOfAgent(here));
    await second.stop();
    await drop();
  },
  LIMIT_MS,
);

asRoot(
  "as root, in a directory that Postgres' user may not enter, the data is kept elsewhere, and found again",
  async () => {
    const closed = realpathSync(mkdtempSync(join(tmpdir(), 'turnpike-test-closed-')));
    chmodSync(closed, 0o700);
    const before = project.start({}, closed);
    await before.untilSaid('Model  ');
    expect(before.output).toContain('Migrations');
    const folder = before.found(/data in (\/\S+), since/);
    project.alsoRemove(closed, folder);
    await before.stop();
    const after = project.start({}, closed);
    await after.untilSaid('Model  ');
    expect(after.output).toContain(folder);
    // The tables that the first start made are there.
    expect(after.output).not.toContain('Migrations');
    await after.stop();
  },
  LIMIT_MS,
);
