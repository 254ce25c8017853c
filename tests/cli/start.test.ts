import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { createTestDatabase } from '../support/test-database.ts';
import { CommandLine, placeOf, projectFolder } from './command-line.ts';
import { askFrom, idOfAgent, idOfTurn, LIMIT_MS, readFrom, useProject, withRedis } from './use-project.ts';

const withCurl = placeOf('curl') === undefined ? test.skip : test;
const asRoot = process.getuid?.() === 0 ? test : test.skip;

const project = useProject();

test(
  'on a machine with only Node, start shows a turn that a tool helped to answer, and says that it is simulated',
  async () => {
    const line = project.start();
    await line.untilUp();
    expect(line.output).toMatch(/Postgres .*embedded, data in \.turnpike\/postgres/);
    expect(line.output).toMatch(/Backplane .*Postgres as well: no redis-server on PATH/);
    expect(line.output).toMatch(/Model .*answers are simulated/);
    expect(line.output).toMatch(
      /queued[^]*in_progress[^]*calls current_time[^]*current_time says[^]*model answers[^]*completed[^]*It is .*Lisbon/,
    );
    expect(statSync(join(project.folder, '.turnpike/development-key')).mode & 0o777).toBe(0o600);
    expect(line.look().map(({ name }) => name)).toEqual([
      'postgres',
      'postgres server',
      'simulator',
      'api',
      'worker-1',
      'worker-2',
    ]);
    expect(await readFrom(line, `/v1/turns/${idOfTurn(line)}`)).toMatchObject({ status: 'completed' });

    // A command beside it works on the same database, with nothing in its environment.
    const environmentFile = join(project.folder, '.turnpike/env');
    expect(statSync(environmentFile).mode & 0o777).toBe(0o600);
    // A shell that reads it has what the examples in docs/ name.
    const shell = spawnSync('sh', ['-c', '. .turnpike/env && echo "$API $KEY $AGENT"'], {
      cwd: project.folder,
      encoding: 'utf8',
    });
    const api = line.found(/API +(http:\S+)/);
    expect(shell.stdout).toBe(`${api} ${await line.key()} ${idOfAgent(line)}\n`);
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

    // Webhooks to this machine are allowed, as it says, and `receive` shows them.
    expect(line.output).toMatch(/Allowed +tools and webhooks at 127\.0\.0\.0\/8,::1,localhost/);
    const receiver = new CommandLine(['receive', '--port', '0'], {
      folder: project.folder,
      environment: { PATH: project.path },
    });
    await receiver.untilSaid('Listening at');
    const url = `${receiver.found(/Listening at (http:\/\/127\.0\.0\.1:\d+)/)}/hooks`;
    const endpoint = await askFrom(line, 'POST', '/v1/webhook_endpoints', { url });
    expect(endpoint).toMatchObject({ object: 'webhook_endpoint', url });
    await askFrom(line, 'POST', `/v1/webhook_endpoints/${(endpoint as { id: string }).id}/ping`);
    await receiver.untilSaid('"type":"ping"');
    expect(receiver.output).toMatch(
      /\nPOST \/hooks\nwebhook-id: evt_\w+\nwebhook-timestamp: \d+\nwebhook-signature: v1,/,
    );
    await receiver.stop();

    const ended = await line.stop();
    expect(ended).toMatchObject({ code: 0, reportedErrors: '' });
    expect(line.left()).toEqual([]);
    expect(existsSync(environmentFile)).toBe(false);
  },
  LIMIT_MS,
);

withCurl(
  'the lines that start prints submit a turn, read one and read its steps',
  async () => {
    const line = project.start();
    await line.untilUp();
    const shell = spawn('sh', ['-c', line.shellLines], { cwd: project.folder, env: { PATH: project.path } });
    let answers = '';
    shell.stdout.on('data', (chunk: Buffer) => {
      answers += chunk.toString();
    });
    const [code] = await once(shell, 'close');
    expect(code).toBe(0);
    const [submitted, turn, steps] = answers
      .trim()
      .split('\n')
      .map((answer) => JSON.parse(answer) as unknown);
    expect(submitted).toMatchObject({ object: 'turn', status: 'queued', agent_id: idOfAgent(line) });
    expect(turn).toMatchObject({ id: idOfTurn(line), status: 'completed' });
    expect(steps).toMatchObject({ items: [{ type: 'model_call' }, { type: 'tool_calls' }, {}] });

    const id = (submitted as Turn).id;
    expect(await readFrom(line, `/v1/turns/${id}?wait=30`)).toMatchObject({ status: 'completed' });
    const docs = await fetch(line.found(/can do: (\S+)/));
    expect(docs.status).toBe(200);
  },
  LIMIT_MS,
);

withRedis(
  'a second start, with a redis-server on PATH now, finds tenant, key, agent and turns again',
  async () => {
    const first = project.start();
    await first.untilUp();
    const key = await first.key();
    await first.stop();

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
  'with DATABASE_URL, start keeps its data there and makes no Postgres of its own',
  async () => {
    const { url, drop } = await createTestDatabase();
    const first = project.start({ DATABASE_URL: url });
    await first.untilUp();
    expect(first.output).toMatch(/Postgres +127\.0\.0\.1:\d+\/t_\w+, from DATABASE_URL/);
    expect(first.look().map(({ name }) => name)).toEqual(['simulator', 'api', 'worker-1', 'worker-2']);
    await first.stop();

    const elsewhere = projectFolder();
    project.alsoRemove(elsewhere);
    const second = project.start({ DATABASE_URL: url }, elsewhere);
    await second.untilUp();
    // This directory has no key yet; the tenant that gets one is the same, and so is its agent.
    expect(await second.key()).not.toBe(await first.key());
    expect(idOfAgent(second)).toBe(idOfAgent(first));
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
    const first = project.start({}, closed);
    await first.untilUp();
    const place = first.found(/data in (\/\S+), since/);
    project.alsoRemove(closed, place);
    await first.stop();
    const second = project.start({}, closed);
    await second.untilUp();
    expect(second.output).toContain(place);
    expect(await readFrom(second, `/v1/turns/${idOfTurn(first)}`)).toMatchObject({ status: 'completed' });
  },
  LIMIT_MS,
);
