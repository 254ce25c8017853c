import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Turnpike } from '@turnpike/client';
import type { Agent } from '@turnpike/contract';
import { compare } from '../../apps/cli/src/definitions/compare.ts';
import { carryOut } from '../../apps/cli/src/definitions/carry-out.ts';
import { readDefinitions } from '../../apps/cli/src/definitions/read-definitions.ts';
import { Cluster } from '../support/cluster.ts';
import { CommandLine, projectFolder, type Ended } from './command-line.ts';

const folders: string[] = [];
let cluster: Cluster;
let folder: string;
beforeAll(async () => {
  cluster = await Cluster.join();
});
beforeEach(async () => {
  folder = projectFolder();
  folders.push(folder);
  for (const kind of ['agents', 'tools']) {
    const { body } = await cluster.request('GET', `/v1/${kind}?limit=100`);
    for (const { id } of (body as { items: { id: string }[] }).items) {
      await cluster.request('DELETE', `/v1/${kind}/${id}`);
    }
  }
});
afterAll(async () => {
  await cluster.stop();
  for (const one of folders) rmSync(one, { recursive: true, force: true });
});

function turnpike(...words: string[]): Promise<Ended> {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    TURNPIKE_URL: cluster.url,
    TURNPIKE_API_KEY: cluster.apiKey,
  };
  return new CommandLine(words, { folder, environment }).untilEnded();
}

function write(file: string, text: string): void {
  mkdirSync(join(folder, file, '..'), { recursive: true });
  writeFileSync(join(folder, file), text);
}

async function agents(): Promise<Agent[]> {
  const { body } = await cluster.request('GET', '/v1/agents?limit=100');
  return (body as { items: Agent[] }).items;
}

const TOOL = `name: lookup
description: Looks up an order.
url: http://127.0.0.1:9/orders
input_schema:
  type: object
  properties: { order: { type: integer } }
headers:
  Authorization: { secret: crm_token }
`;
const AGENT = `# Who answers customers.
name: support
model: claude-haiku-5-5
system: |
  You help customers.
  Be brief.
tools:
  - { type: http, name: lookup }
  - type: client
    name: pick_file
    description: Picks a file.
    input_schema: { type: object }
metadata: { team: support }
`;

test('apply creates what the files say, a second run makes no version, and export finds nothing to write', async () => {
  await cluster.request('PUT', '/v1/secrets/crm_token', {
    value: 'a-token-of-the-crm',
    allowed_hosts: ['127.0.0.1'],
  });
  write('tools/lookup.yaml', TOOL);
  write('agents/support.yaml', AGENT);
  expect(await turnpike('apply', '--yes')).toMatchObject({
    code: 1,
    reportedErrors: expect.stringContaining('--signing-secrets'),
  });
  const first = await turnpike('apply', '--yes', '--signing-secrets', 'signing');
  expect(first).toMatchObject({ code: 0, reportedErrors: '' });
  expect(first.output).toMatch(
    /^\+ tool lookup \(tools\/lookup\.yaml\): new\n[^]*\+ agent support \(agents\/support\.yaml\): new\n[^]*Created tool lookup: tool_\w+\.\n[^]*Created agent support: agent_\w+, version 1\.\n$/,
  );
  expect(readFileSync(join(folder, 'signing'), 'utf8')).toMatch(/^lookup=whsec_\S+\n$/);
  expect(statSync(join(folder, 'signing')).mode & 0o777).toBe(0o600);
  expect(first.output).not.toContain('whsec_');
  const nothing = {
    code: 0,
    reportedErrors: '',
    output: expect.stringMatching(/^Nothing to change: 1 agent and 1 tool at /),
  };
  expect(await turnpike('apply', '--check')).toEqual(nothing);
  expect(await turnpike('apply', '--yes')).toEqual(nothing);
  expect(await agents()).toMatchObject([{ name: 'support', version: 1, metadata: { team: 'support' } }]);
  expect(await turnpike('export')).toMatchObject({ code: 0, output: '2 files say what is there already.\n' });
  expect(readFileSync(join(folder, 'agents/support.yaml'), 'utf8')).toBe(AGENT);
});

test('a changed file is shown field by field, --check exits with 1, and apply changes these fields alone', async () => {
  write('agents/support.yaml', AGENT.replace('  - { type: http, name: lookup }\n', ''));
  await turnpike('apply', '--yes');
  const changed = AGENT.replace('  - { type: http, name: lookup }\n', '')
    .replace('Be brief.', 'Be kind.')
    .replace('Picks a file.', 'Picks a document.')
    .replace('metadata: { team: support }\n', 'max_steps: 5\n');
  write('agents/support.yaml', changed);
  const [agent] = await agents();
  const difference = `~ agent support (agents/support.yaml): ${agent?.id}, version 1
    system:
      - Be brief.
      + Be kind.
    tools.pick_file.description: "Picks a file." -> "Picks a document."
    max_steps: 50 -> 5
    metadata.team: "support" -> (default)
`;
  expect(await turnpike('apply', '--check')).toEqual({
    code: 1,
    output: difference,
    reportedErrors: `turnpike: 1 of 1 agent at ${cluster.url} would change.\n`,
  });
  expect(await agents()).toMatchObject([{ version: 1 }]);
  expect(await turnpike('apply', '--yes')).toEqual({
    code: 0,
    output: `${difference}Changed agent support: ${agent?.id}, version 2.\n`,
    reportedErrors: '',
  });
  expect(await agents()).toMatchObject([
    { version: 2, system: 'You help customers.\nBe kind.\n', max_steps: 5, metadata: {} },
  ]);
});

const CALLER = (name: string, called: string): string => `name: ${name}
model: claude-haiku-5-5
tools:
  - type: agent
    name: ask
    agent: ${called}
    description: Asks.
`;

test('agents that are tools are named in files, whatever their ids are, also where they call each other in a circle', async () => {
  write('agents/a.yaml', CALLER('a', 'b'));
  write('agents/b.yaml', CALLER('b', 'c'));
  write('agents/c.yaml', CALLER('c', 'a'));
  write('agents/d.yaml', CALLER('d', 'a'));
  expect(await turnpike('apply', '--yes')).toMatchObject({ code: 0, reportedErrors: '' });
  const made = await agents();
  const called = Object.fromEntries(
    made.map(({ name, tools }) => {
      const id = tools.find((tool) => tool.type === 'agent')?.agent_id;
      return [name, made.find((agent) => agent.id === id)?.name];
    }),
  );
  expect(called).toEqual({ a: 'b', b: 'c', c: 'a', d: 'a' });
  expect(await turnpike('apply', '--check')).toMatchObject({ code: 0 });

  write('agents/d.yaml', CALLER('d', 'nobody'));
  const { reportedErrors } = await turnpike('apply', '--check');
  expect(reportedErrors).toContain(
    'agents/d.yaml:6: tools.0.agent: there is no agent nobody, in no file and not at the service',
  );
  write('agents/d.yaml', CALLER('d', 'b'));
  expect((await turnpike('apply', '--check')).output).toMatch(/\n {4}tools\.ask\.agent: "a" -> "b"\n$/);
  rmSync(join(folder, 'agents/d.yaml'));
  expect(await turnpike('export')).toMatchObject({ code: 0, reportedErrors: '' });
  expect(readFileSync(join(folder, 'agents/d.yaml'), 'utf8')).toBe(CALLER('d', 'a'));
});

test('without --yes and without a terminal nothing is applied', async () => {
  write('agents/a.yaml', 'name: a\nmodel: claude-haiku-5-5\n');
  expect(await turnpike('apply')).toMatchObject({
    code: 1,
    reportedErrors: 'turnpike: Say --yes to apply this, or --check to only look.\n',
  });
  expect(await agents()).toEqual([]);
});

test('every mistake in the files is named with file, line and field, and nothing is changed', async () => {
  write('agents/good.yaml', 'name: good\nmodel: claude-haiku-5-5\n');
  write(
    'agents/bad.yaml',
    'name: bad\nmodel: claude-haiku-5-5\nmax_step: 3\ntools:\n  - type: client\n    name: x\n',
  );
  write('agents/broken.yaml', 'name: [\n');
  write('agents/double.yaml', 'name: a\nname: b\n');
  write('agents/same.yaml', 'name: good\nmodel: claude-haiku-5-5\n');
  write(
    'agents/secret.yaml',
    `name: leak\nmodel: claude-haiku-5-5\nsystem: |\n  Use sk-ant-${'x'.repeat(20)}.\n`,
  );
  write('tools/plain.yml', TOOL.replace('{ secret: crm_token }', 'Bearer something'));
  const { code, output, reportedErrors } = await turnpike('apply', '--yes');
  expect({ code, output }).toEqual({ code: 1, output: '' });
  for (const mistake of [
    'agents/bad.yaml:3: max_step: is not a known field',
    'agents/bad.yaml:5: tools.0.description: is missing: it must be a string',
    /agents\/broken\.yaml:2: /,
    /agents\/double\.yaml:2: .*unique/,
    'agents/same.yaml:1: name: agent good is defined in agents/good.yaml already',
    'agents/secret.yaml:3: system: looks like a secret value',
    'tools/plain.yml:8: headers.Authorization: must name a secret',
    'Nothing was changed: ',
  ])
    expect(reportedErrors).toMatch(mistake);
  expect(reportedErrors).not.toContain('xxxx');
  expect(await agents()).toEqual([]);
});

test('what only the service knows is refused with file, line and field too', async () => {
  write('agents/a.yaml', 'name: a\nmodel: claude-haiku-5-5\ntools:\n  - type: builtin\n    name: no_such\n');
  expect(await turnpike('apply', '--yes')).toMatchObject({
    code: 1,
    reportedErrors: expect.stringContaining(
      'agents/a.yaml:5: tools.0.name: there is no builtin tool no_such',
    ),
  });
});

test('a change by someone else after the comparison is not overwritten', async () => {
  write('agents/a.yaml', 'name: a\nmodel: claude-haiku-5-5\nmax_steps: 7\n');
  write(
    'tools/t.yaml',
    'name: t\ndescription: T.\nurl: http://127.0.0.1:9/\ninput_schema: { type: object }\n',
  );
  const agent = await cluster.createAgent({ name: 'a' });
  await cluster.createTool({ name: 't', url: 'http://127.0.0.1:9/old' });
  const client = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
  const { definitions } = await readDefinitions(folder);
  const { planned, ids } = await compare(client, definitions);
  await client.agents.update(agent.id, { max_steps: 9 });
  for await (const { id } of client.tools.list()) {
    await client.tools.update(id, {
      description: 'New.',
      url: 'http://127.0.0.1:9/',
      input_schema: { type: 'object' },
    });
  }
  expect(planned.map(({ definition }) => definition.name)).toEqual(['t', 'a']);
  for (const one of planned) {
    await expect(carryOut(client, one, ids)).rejects.toThrow(
      /someone else changed \w+ meanwhile: apply again/,
    );
  }
  expect(await agents()).toMatchObject([{ version: 2, max_steps: 9 }]);
});

test('runs that create the same agent at once leave one of it at most, and those that did not say so', async () => {
  const client = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
  for (let round = 0; round < 5; round++) {
    const name = `race-${round}`;
    write('agents/race.yaml', `name: ${name}\nmodel: claude-haiku-5-5\n`);
    mkdirSync(join(folder, 'tools'), { recursive: true });
    const { definitions } = await readDefinitions(folder);
    const plans = await Promise.all([1, 2, 3].map(() => compare(client, definitions)));
    const ends = await Promise.allSettled(
      plans.flatMap(({ planned, ids }) => planned.map((one) => carryOut(client, one, ids))),
    );
    const made = ends.filter(({ status }) => status === 'fulfilled').length;
    expect((await agents()).filter((agent) => agent.name === name)).toHaveLength(made);
    expect(made).toBeLessThan(2);
    for (const end of ends) {
      if (end.status === 'rejected')
        expect(String(end.reason)).toContain('someone else created an agent of this name');
    }
  }
});

test('two agents of one name are a mistake, since a file would mean either', async () => {
  const ids = [await cluster.createAgent({ name: 'twin' }), await cluster.createAgent({ name: 'twin' })];
  write('agents/twin.yaml', 'name: twin\nmodel: claude-haiku-5-5\n');
  const { code, reportedErrors } = await turnpike('apply', '--yes');
  expect(code).toBe(1);
  expect(reportedErrors).toContain('agents/twin.yaml:1: name: several agents have this name: ');
  for (const { id } of ids) expect(reportedErrors).toContain(id);
});

test('export writes what apply finds unchanged, and overwrites a file that differs only with --force', async () => {
  const odd = '  no: yes # not a comment\n- "quoted" \u00e9\u2028 {x}\n\n';
  await cluster.createAgent({
    name: 'Support / EU',
    system: odd,
    temperature: 0.5,
    stop_sequences: ['yes', '1.0', '~'],
    thinking: undefined,
    tools: [
      { type: 'builtin', name: 'current_time', requires_approval: true },
      { type: 'memory', namespace: 'eu' },
      {
        type: 'client',
        name: 'c',
        description: 'C.',
        input_schema: { type: 'object', properties: { a: {} } },
      },
    ],
    metadata: { n: '007', on: 'true' },
  });
  await cluster.createAgent({ name: 'support?eu' });
  await cluster.createTool({ name: 'lookup', url: 'http://127.0.0.1:9/', headers: { 'X-A': '1' } });
  expect(await turnpike('export')).toMatchObject({ code: 0, reportedErrors: '' });
  expect(readdirSync(join(folder, 'agents')).toSorted()).toEqual(['support-eu-2.yaml', 'support-eu.yaml']);
  expect(await turnpike('apply', '--check')).toMatchObject({ code: 0 });
  expect(await turnpike('export')).toMatchObject({ code: 0, output: '3 files say what is there already.\n' });

  const file = join(folder, 'tools/lookup.yaml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}timeout_ms: 5000\n`);
  const refused = await turnpike('export');
  expect(refused).toMatchObject({ code: 1, output: '' });
  expect(refused.reportedErrors).toMatch(/tools\/lookup\.yaml says something else than tool_\w+/);
  expect(await turnpike('export', '--force')).toMatchObject({ code: 0 });
  expect(readFileSync(file, 'utf8')).not.toContain('timeout_ms');
});

test('a credential that is stored as plain text is not written to a file', async () => {
  await cluster.createTool({
    name: 'plain',
    url: 'http://127.0.0.1:9/',
    headers: { 'X-Api-Key': 'a-plain-key' },
  });
  const { code, output, reportedErrors } = await turnpike('export');
  expect(code).toBe(1);
  expect(reportedErrors).toMatch(/tool_\w+ \(plain\): headers\.X-Api-Key: must name a secret/);
  expect(output + reportedErrors).not.toContain('a-plain-key');
  expect(readdirSync(folder)).toEqual([]);
});

test('a service that is not there, a wrong key and no service at all are each said on one line', async () => {
  write('agents/a.yaml', 'name: a\nmodel: claude-haiku-5-5\n');
  const run = (environment: Record<string, string>): Promise<Ended> =>
    new CommandLine(['apply', '--check'], { folder, environment: { PATH: '', ...environment } }).untilEnded();
  const ends = await Promise.all([
    run({}),
    run({ TURNPIKE_URL: cluster.url }),
    run({ TURNPIKE_URL: cluster.url, TURNPIKE_API_KEY: 'tp_live_wrong' }),
    run({ TURNPIKE_URL: 'http://127.0.0.1:9', TURNPIKE_API_KEY: 'tp_live_any' }),
    run({ TURNPIKE_URL: 'ftp://x', TURNPIKE_API_KEY: 'tp_live_any' }),
  ]);
  expect(ends.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1]);
  expect(ends.map(({ reportedErrors }) => reportedErrors)).toEqual([
    expect.stringMatching(/^turnpike: TURNPIKE_URL is not set, .*\n$/),
    expect.stringMatching(/^turnpike: TURNPIKE_API_KEY is not set, .*\n$/),
    expect.stringMatching(/^turnpike: http:\S+ refused: .*\(401 .*\)\n$/),
    expect.stringMatching(/^turnpike: http:\S+ does not answer: .*\n$/),
    expect.stringMatching(/^turnpike: The environment is not right: TURNPIKE_URL: must be .*\n$/),
  ]);
});
