import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS, SCOPES } from '@turnpike/contract';
import { findKeyHolder, hashApiKey, openDatabase, type Database } from '@turnpike/store';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { CommandLine, projectFolder, type Ended } from './command-line.ts';
import { runCommand } from './run-command.ts';

let folder: string;
let url: string;
let drop: () => Promise<void>;
let database: Database;
beforeAll(async () => {
  folder = projectFolder();
  ({ url, drop } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 2, applicationName: 'test', onError: () => undefined });
});
afterAll(async () => {
  await database.close();
  await drop();
  rmSync(folder, { recursive: true, force: true });
});

type Turnpike = (words: string[], environment?: Record<string, string>) => Promise<Ended>;

/** The command as a person starts it. */
const turnpikeProcess: Turnpike = (words, environment = { DATABASE_URL: url }) => {
  const PATH = process.env['PATH'] ?? '';
  return new CommandLine(words, { folder, environment: { PATH, ...environment } }).untilEnded();
};

/** The same without a process of its own. */
const turnpike: Turnpike = (words, environment = { DATABASE_URL: url }) =>
  runCommand(words, { folder, environment });

test('migrate names what it applied, and says so when there is nothing to do', async () => {
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  const empty = new URL(url);
  empty.pathname = `/${name}`;
  await database.pool.query(`CREATE DATABASE ${name}`);
  const first = await turnpikeProcess(['migrate'], { DATABASE_URL: empty.href });
  const second = await turnpikeProcess(['migrate'], { DATABASE_URL: empty.href });
  await database.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
  expect(first).toMatchObject({ code: 0, reportedErrors: '' });
  expect(first.output).toMatch(/^(Applied \d{14}_\w+\.\n)+$/);
  expect(second).toEqual({
    code: 0,
    output: 'Nothing to do: every migration is applied.\n',
    reportedErrors: '',
  });
});

test('a migration that fails is reported on one line, with exit code 1', async () => {
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  const spoilt = new URL(url);
  spoilt.pathname = `/${name}`;
  await database.pool.query(`CREATE DATABASE ${name}`);
  const other = openDatabase({
    url: spoilt.href,
    poolSize: 1,
    applicationName: 'test',
    onError: () => undefined,
  });
  await other.pool.query('CREATE TABLE tenants (not_ours int)');
  await other.close();
  const { code, output, reportedErrors } = await turnpikeProcess(['migrate'], { DATABASE_URL: spoilt.href });
  await database.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
  expect({ code, output }).toEqual({ code: 1, output: '' });
  expect(reportedErrors).toMatch(/^turnpike: The migration of 127\.0\.0\.1:\d+\/t_\w+ failed: .+\n$/);
});

test('schema check finds no difference, on the database that is named and on one of its own', async () => {
  const agreed = {
    code: 0,
    output: 'The migrations make what schema.prisma, sql/schema.sql and sql/functions say.\n',
    reportedErrors: '',
  };
  expect(await turnpike(['schema', 'check'])).toEqual(agreed);
  expect(await turnpikeProcess(['schema', 'check'], {})).toEqual(agreed);
});

test('the operator’s model key is for tenants that the operator names', async () => {
  const lineOf = async (name: string): Promise<string | undefined> =>
    (await turnpike(['tenants', 'list'])).output.split('\n').find((line) => line.endsWith(`  ${name}`));
  const { output } = await turnpike(['tenants', 'create', 'Guest', '--operator-key']);
  expect(await lineOf('Guest')).toContain('  operator key on   Guest');
  expect(await turnpike(['tenants', 'set', 'Guest', '--operator-key', 'off'])).toEqual({
    code: 0,
    output: `${output.trim()}  operator key off\n`,
    reportedErrors: '',
  });
  expect(await lineOf('Guest')).toContain('  operator key off  Guest');
  expect(await turnpike(['tenants', 'set', 'Guest', '--operator-key', 'maybe'])).toMatchObject({ code: 1 });
  expect(await turnpike(['tenants', 'set', 'Guest'])).toMatchObject({
    code: 1,
    reportedErrors: 'turnpike: Nothing to set: see turnpike tenants set --help.\n',
  });
});

test('tenants create prints an id, tenants list has it, and a name is taken once', async () => {
  const created = await turnpike(['tenants', 'create', 'Acme']);
  expect(created).toMatchObject({ code: 0, reportedErrors: '' });
  const id = created.output.trim();
  expect(id).toMatch(/^ten_\w{26}$/);
  const list = await turnpike(['tenants', 'list']);
  expect(list.output).toMatch(new RegExp(`^${id}  \\S+  operator key off  Acme$`, 'm'));
  expect(await turnpike(['tenants', 'create', 'Acme'])).toEqual({
    code: 1,
    output: '',
    reportedErrors: `turnpike: There is a tenant Acme already: ${id}.\n`,
  });
});

test('tenants limits sets what it is given, puts defaults back, and prints every limit', async () => {
  await turnpike(['tenants', 'create', 'Limited']);
  const limits = (...options: string[]) => turnpike(['tenants', 'limits', 'Limited', ...options]);
  const set = await limits('--max-queued-turns', '7', '--weight', '0.5', '--tokens-per-minute', '60000');
  expect(set).toMatchObject({ code: 0, reportedErrors: '' });
  expect(set.output).toMatch(/^max_queued_turns +7$/m);
  expect(set.output).toMatch(/^weight +0\.5$/m);
  expect(set.output).toMatch(/^tokens_per_minute +60000$/m);
  expect(set.output).toMatch(/^requests_per_second +1000  \(default\)$/m);
  const reset = await limits('--weight', 'default', '--tokens-per-minute', 'default');
  expect(reset.output).toMatch(/^weight +1  \(default\)$/m);
  expect(reset.output).toMatch(/^tokens_per_minute +no limit  \(default\)$/m);
  expect(reset.output).toMatch(/^max_queued_turns +7$/m);
  for (const wrong of ['0', '1.5', 'many']) {
    const refused = await limits('--max-queued-turns', wrong);
    expect(refused).toMatchObject({ code: 1, output: '' });
    expect(refused.reportedErrors).toMatch(/--max-queued-turns/);
  }
  expect(await limits()).toEqual(reset);
});

test('a key is printed once, works until it is revoked, and is listed by its last four characters', async () => {
  const tenantId = (await turnpike(['tenants', 'create', 'Umbrella'])).output.trim();
  const scopes = ['--scope', 'turns:read', '--scope', 'turns:write'];
  const created = await turnpike(['keys', 'create', 'Umbrella', '--name', 'ci', ...scopes]);
  const key = created.output.trim();
  const keyId = /^(key_\w+): shown this once/.exec(created.reportedErrors)?.[1] ?? '';
  expect(key).toMatch(/^tp_live_\w{49}$/);
  expect(await findKeyHolder(database.pool, hashApiKey(key))).toEqual({
    keyId,
    tenantId,
    scopes: ['turns:read', 'turns:write'],
    limits: DEFAULT_LIMITS,
  });

  const list = await turnpike(['keys', 'list', tenantId]);
  expect(list.output).toMatch(
    new RegExp(`^${keyId}  …${key.slice(-4)}  \\S+  valid  turns:read,turns:write  ci$`, 'm'),
  );
  expect(list.output).not.toContain(key);

  expect(await turnpike(['keys', 'revoke', keyId])).toMatchObject({ code: 0, output: `Revoked ${keyId}.\n` });
  expect(await findKeyHolder(database.pool, hashApiKey(key))).toBeNull();
  expect((await turnpike(['keys', 'list', tenantId])).output).toMatch(/  revoked \S+  \S+  ci$/m);
  expect(await turnpike(['keys', 'revoke', keyId])).toMatchObject({
    code: 1,
    reportedErrors: `turnpike: There is no valid key ${keyId}.\n`,
  });
});

test("what an operator does to a tenant is in the tenant's audit log, by operator", async () => {
  const tenantId = (await turnpike(['tenants', 'create', 'Initech'])).output.trim();
  const { reportedErrors } = await turnpike(['keys', 'create', 'Initech', '--name', 'ci']);
  const keyId = /^(key_\w+):/.exec(reportedErrors)?.[1] ?? '';
  await turnpike(['keys', 'revoke', keyId]);
  const on = await turnpike(['tenants', 'debug', 'Initech', 'on', '--minutes', '5']);
  expect(on.output).toMatch(/^What its turns say is logged until \S+\.\n$/);
  expect(await turnpike(['tenants', 'debug', 'Initech', 'off'])).toMatchObject({ code: 0, output: 'Off.\n' });
  for (const words of [['maybe'], ['on', '--minutes', '5000'], ['off', '--minutes', '5']]) {
    expect(await turnpike(['tenants', 'debug', 'Initech', ...words])).toMatchObject({ code: 1, output: '' });
  }
  const { rows } = await database.pool.query(
    'SELECT actor_type, action, subject FROM audit_entries WHERE tenant_id = $1 ORDER BY id',
    [tenantId],
  );
  expect(rows).toEqual([
    { actor_type: 'operator', action: 'tenant.created', subject: tenantId },
    { actor_type: 'operator', action: 'api_key.created', subject: keyId },
    { actor_type: 'operator', action: 'api_key.revoked', subject: keyId },
    { actor_type: 'operator', action: 'tenant.debug_on', subject: tenantId },
    { actor_type: 'operator', action: 'tenant.debug_off', subject: tenantId },
  ]);
});

test('it says its version, and the help of keys create lists every scope', async () => {
  expect(await turnpikeProcess(['--version'], {})).toEqual({
    code: 0,
    output: '0.1.0\n',
    reportedErrors: '',
  });
  const { code, output } = await turnpikeProcess(['keys', 'create', '--help'], {});
  expect(code).toBe(0);
  for (const scope of SCOPES) expect(output).toContain(`\n  ${scope}\n`);
  expect(await turnpikeProcess(['keys', 'create', 'Acme', '--scope', 'all'])).toMatchObject({
    code: 1,
    reportedErrors: expect.stringContaining('turns:write'),
  });
});

test('what start wrote names the database, unless the environment does; once that database is gone, the error says so', async () => {
  const stateFolder = join(folder, '.turnpike');
  mkdirSync(stateFolder);
  writeFileSync(join(stateFolder, 'env'), `DATABASE_URL='${url}'\n`);
  const beside = await turnpike(['tenants', 'list'], {});
  expect(beside).toMatchObject({ code: 0, reportedErrors: '' });
  const nowhere = `postgres://user:hidden@127.0.0.1:${await freePort()}/app`;
  writeFileSync(join(stateFolder, 'env'), `DATABASE_URL='${nowhere}'\n`);
  expect(await turnpike(['tenants', 'list'])).toEqual(beside);
  const { code, reportedErrors } = await turnpike(['tenants', 'list'], {});
  rmSync(stateFolder, { recursive: true });
  expect(code).toBe(1);
  expect(reportedErrors).toMatch(
    /^turnpike: The database at \S+\/app, which \.turnpike\/env names, does not answer: .+\n$/,
  );
  expect(reportedErrors).not.toContain('hidden');
});

test('npm links the command of a checkout: the lock file, which it goes by, names the file that is there', () => {
  const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { bin?: unknown }>;
  };
  expect(packages['apps/cli']?.bin).toEqual({ turnpike: 'bin/turnpike.mjs' });
  expect(read('apps/cli/bin/turnpike.mjs')).toMatch(/^#!\/usr\/bin\/env node\n/);
});

test('the command that npm links is there before anything is built, and builds a checkout once', async () => {
  const checkout = projectFolder();
  const bin = join(checkout, 'apps/cli/bin/turnpike.mjs');
  const built = join(checkout, 'dist/cli.js');
  cpSync(fileURLToPath(new URL('../../apps/cli/bin/', import.meta.url)), dirname(bin), { recursive: true });
  mkdirSync(dirname(built));
  const program = JSON.stringify('process.stdout.write(`it has ${process.argv[2]}`)');
  const build = `require('fs').writeFileSync(${JSON.stringify(built)}, ${program}); console.log('building')`;
  writeFileSync(join(checkout, 'build.cjs'), build);
  writeFileSync(join(checkout, 'package.json'), '{ "scripts": { "build": "node build.cjs" } }');
  const first = spawnSync(process.execPath, [bin, 'words'], { encoding: 'utf8' });
  const second = spawnSync(process.execPath, [bin, 'words'], { encoding: 'utf8' });
  rmSync(checkout, { recursive: true, force: true });
  expect(first).toMatchObject({
    status: 0,
    stdout: 'it has words',
    stderr: expect.stringContaining('building'),
  });
  expect(second).toMatchObject({ status: 0, stdout: 'it has words', stderr: '' });
});

test('an unknown tenant, a database that does not respond, and no database at all: one line each', async () => {
  expect(await turnpikeProcess(['keys', 'list', 'Nobody'])).toEqual({
    code: 1,
    output: '',
    reportedErrors: 'turnpike: There is no tenant Nobody.\n',
  });
  const nowhere = `postgres://user:hidden@127.0.0.1:${await freePort()}/app`;
  for (const words of [['migrate'], ['schema', 'check'], ['tenants', 'list']]) {
    const { code, reportedErrors } = await turnpike(words, { DATABASE_URL: nowhere });
    expect(code).toBe(1);
    expect(reportedErrors).toMatch(/^turnpike: The database at 127\.0\.0\.1:\d+\/app does not answer: .+\n$/);
  }
  for (const words of [['migrate'], ['tenants', 'list'], ['keys', 'list', 'Acme']]) {
    const { code, reportedErrors } = await turnpikeProcess(words, {});
    expect(code).toBe(1);
    expect(reportedErrors).toMatch(/^turnpike: DATABASE_URL is not set.+\n$/);
  }
});
