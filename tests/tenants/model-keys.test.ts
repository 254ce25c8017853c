import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { SimControl, startModelSim, type Call, type ModelSim } from '@turnpike/model-sim';
import { putModelSettings, setOperatorKey } from '@turnpike/store';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { TestTenant } from './support/test-tenant.ts';

/** The end of the key that the cluster's workers are given. */
const OPERATORS = '6789';

let cluster: Cluster;
/** A tenant's gateway that the operator lets tenants reach, and an address that it does not. */
let gateway: ModelSim;
let gatewayControl: SimControl;
let forbidden: Server;
let forbiddenPort: number;
let connections = 0;

beforeAll(async () => {
  gateway = await startModelSim({ port: 0 });
  gatewayControl = new SimControl(gateway.controlUrl);
  forbidden = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  forbidden.listen(0, '127.0.0.1');
  await once(forbidden, 'listening');
  const address = forbidden.address();
  forbiddenPort = typeof address === 'object' && address !== null ? address.port : 0;
  cluster = await Cluster.start({
    workers: 1,
    environment: { EGRESS_ALLOW: `127.0.0.1:${gateway.port}`, MODEL_KEY_TTL_MS: '300' },
  });
});
afterAll(async () => {
  await cluster.stop();
  await gateway.close();
  forbidden.close();
});
beforeEach(async () => {
  await cluster.control.reset();
  await gatewayControl.reset();
});

/** Which keys the API saw, as their last four characters, in order. */
async function seen(control = cluster.control): Promise<(string | null)[]> {
  return (await control.calls()).map((call) => call.api_key_last4);
}

const fault = (key: string, status: number, headers: Record<string, string> = {}) => ({
  match: { api_key: key },
  fault: { type: 'status' as const, status, headers },
});

test('each tenant’s calls are made with its own key, on one worker at once', async () => {
  const tenants = await Promise.all([
    TestTenant.create(cluster),
    TestTenant.create(cluster),
    TestTenant.create(cluster, { operatorKey: true }),
  ]);
  const [one, two, three] = tenants;
  await one.useKeys({ anthropic: 'sk-ant-api03-of-tenant-ONE1' });
  await two.useKeys({ anthropic: 'sk-ant-api03-of-tenant-TWO2' }, { auth: 'bearer' });
  const turns = await Promise.all(
    tenants.map(async (tenant, index) => {
      const agent = await tenant.createAgent();
      const words = Array.from({ length: 4 }, (_, turn) => `[[${index}]] What is ${turn} and 1?`);
      return Promise.all(words.map((text) => tenant.run(agent.id, text)));
    }),
  );
  expect(turns.flat().map(({ status }) => status)).toEqual(turns.flat().map(() => 'completed'));
  const calls = await cluster.control.calls();
  const used = new Set(calls.map((call) => `${call.session} ${call.api_key_last4} ${call.api_key_header}`));
  expect([...used].toSorted()).toEqual([
    '0 ONE1 x-api-key',
    '1 TWO2 authorization',
    `2 ${OPERATORS} authorization`,
  ]);
  expect(three.id).not.toBe(one.id);
});

test.each([
  ['401', fault('AAA1', 401)],
  ['403', fault('AAA1', 403)],
  ['402', fault('AAA1', 402)],
  ['429', fault('AAA1', 429, { 'retry-after': '60' })],
  [
    'an error inside the stream',
    {
      match: { api_key: 'AAA1' },
      fault: { type: 'error_event' as const, after_events: 4, error_type: 'rate_limit_error' },
    },
  ],
])(
  'a key that is answered with %s is followed by the next at once, and the next turn begins with that',
  async (_, rule) => {
    const tenant = await TestTenant.create(cluster);
    await tenant.useKeys({ first: 'key-of-the-tenant-AAA1', second: 'key-of-the-tenant-BBB2' });
    const agent = await tenant.createAgent();
    await cluster.control.setScript({ rules: [rule] });
    const turn = await tenant.run(agent.id, 'Hello?');
    expect(turn).toMatchObject({ status: 'completed', error: null, attempts: 1 });
    const steps = await tenant.done<{ items: { attempts: number }[] }>('GET', `/v1/turns/${turn.id}/steps`);
    expect(steps.items.map(({ attempts }) => attempts)).toEqual([2]);
    expect(await tenant.run(agent.id, 'And now?')).toMatchObject({ status: 'completed' });
    expect(await seen()).toEqual(['AAA1', 'BBB2', 'BBB2']);
  },
);

test('a turn whose keys are all rate-limited waits the shortest of their times, without a worker, and completes', async () => {
  const tenant = await TestTenant.create(cluster);
  await tenant.useKeys({ first: 'key-of-the-tenant-CCC1', second: 'key-of-the-tenant-CCC2' });
  const agent = await tenant.createAgent();
  const rules = [fault('CCC1', 429, { 'retry-after': '3000' }), fault('CCC2', 429, { 'retry-after': '6' })];
  await cluster.control.setScript({ rules: rules.map((rule) => ({ ...rule, times: 1 })) });
  const { id } = await tenant.submit(agent.id, 'Hello?');
  const waiting = await tenant.until(id, ({ status, error }) => status === 'queued' && error !== null);
  expect(waiting.error).toMatchObject({ code: 'model_rate_limited', retry_status: 'retrying', attempts: 2 });
  expect(await tenant.untilEnded(id)).toMatchObject({ status: 'completed' });
  expect(await seen()).toEqual(['CCC1', 'CCC2', 'CCC2']);
});

test('a turn without a key that is there fails, in words that say what to do', async () => {
  const tenant = await TestTenant.create(cluster);
  const agent = await tenant.createAgent();
  expect(await tenant.run(agent.id, 'Hello?')).toMatchObject({
    status: 'failed',
    error: {
      code: 'model_key_missing',
      retry_status: 'terminal',
      message: expect.stringContaining('PUT /v1/model_settings'),
    },
  });
  await tenant.useKeys({ anthropic: 'key-of-the-tenant-DDD1' });
  expect(await tenant.run(agent.id, 'Hello?')).toMatchObject({ status: 'completed' });

  await tenant.done('DELETE', '/v1/secrets/anthropic');
  let failed = await tenant.run(agent.id, 'Hello?');
  await untilTrue('the deleted key is used no more', async () => {
    failed = await tenant.run(agent.id, 'Hello?');
    return failed.status === 'failed';
  });
  expect(failed.error).toMatchObject({
    code: 'model_key_missing',
    message: expect.stringContaining('There is no secret anthropic'),
  });
});

test('a key that is replaced is used within its time, and at once where the old one is refused', async () => {
  const tenant = await TestTenant.create(cluster);
  await tenant.useKeys({ anthropic: 'key-of-the-tenant-EEE1' });
  const agent = await tenant.createAgent();
  await tenant.run(agent.id, 'Hello?');
  await tenant.putSecret('anthropic', 'key-of-the-tenant-EEE2');
  await untilTrue('the new key is used', async () => {
    await tenant.run(agent.id, 'Hello?');
    return (await seen()).at(-1) === 'EEE2';
  });
  // The old value may still be kept by the worker: it is read anew before the turn would fail.
  await tenant.run(agent.id, 'Hello?');
  await tenant.putSecret('anthropic', 'key-of-the-tenant-EEE3');
  await cluster.control.setScript({ rules: [fault('EEE2', 401)] });
  expect(await tenant.run(agent.id, 'Hello?')).toMatchObject({ status: 'completed' });
  expect((await seen()).at(-1)).toBe('EEE3');
});

test('an agent’s own keys replace the tenant’s', async () => {
  const tenant = await TestTenant.create(cluster);
  await tenant.useKeys({ common: 'key-of-the-tenant-FFF1' });
  await tenant.putSecret('special', 'key-of-the-agent-FFF2');
  const agent = await tenant.createAgent({ model_keys: ['special'] });
  expect(agent).toMatchObject({ model_keys: ['special'] });
  await tenant.run(agent.id, 'Hello?');
  expect(await seen()).toEqual(['FFF2']);
});

test('the operator’s key is used while the operator says so, and only then', async () => {
  const tenant = await TestTenant.create(cluster);
  const agent = await tenant.createAgent();
  const isServed = async (): Promise<boolean> =>
    (await tenant.run(agent.id, 'Hello?')).status === 'completed';
  expect(await isServed()).toBe(false);
  await setOperatorKey(cluster.database.pool, tenant.id, true);
  expect(await isServed()).toBe(true);
  expect(await tenant.done('GET', '/v1/model_settings')).toMatchObject({ operator_key: true, keys: [] });
  await setOperatorKey(cluster.database.pool, tenant.id, false);
  expect(await isServed()).toBe(false);
  expect(await seen()).toEqual([OPERATORS]);
});

test('a tenant’s own address gets the tenant’s keys and its conversations, and never the operator’s key', async () => {
  const tenant = await TestTenant.create(cluster, { operatorKey: true });
  await tenant.useKeys({ anthropic: 'key-of-the-tenant-GGG1' }, { base_url: gateway.url });
  const agent = await tenant.createAgent();
  expect(await tenant.run(agent.id, 'Hello?')).toMatchObject({ status: 'completed' });
  await gatewayControl.setScript({ rules: [fault('GGG1', 401)] });
  expect(await tenant.run(agent.id, 'Hello?')).toMatchObject({
    status: 'failed',
    error: { code: 'model_authentication' },
  });
  await tenant.done('PUT', '/v1/model_settings', { keys: [], base_url: gateway.url });
  expect(await tenant.run(agent.id, 'Hello?')).toMatchObject({ error: { code: 'model_key_missing' } });
  expect(await seen(gatewayControl)).toEqual(['GGG1', 'GGG1']);
  expect(await seen()).toEqual([]);
});

test('a tenant’s own address that is private is refused before a byte is sent', async () => {
  const tenant = await TestTenant.create(cluster, { operatorKey: true });
  const agent = await tenant.createAgent();
  await tenant.useKeys({ anthropic: 'key-of-the-tenant-HHH1' });
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    // As it was stored before the operator took the address off the list: the API stores it no more.
    await putModelSettings(cluster.database.pool, tenant.id, {
      keys: ['anthropic'],
      base_url: `http://${host}:${forbiddenPort}`,
      auth: 'x-api-key',
    });
    const { status, error } = await tenant.run(agent.id, 'Hello?');
    expect({ host, status, code: error?.code }).toEqual({
      host,
      status: 'failed',
      code: 'model_base_url_refused',
    });
  }
  expect(connections).toBe(0);
  expect(await seen()).toEqual([]);
});

test('a key is in no log line, no row and no answer, also when the API says it back', async () => {
  const tenant = await TestTenant.create(cluster);
  const key = 'canary+key/of-the-tenant=JJJ1';
  await tenant.useKeys({ anthropic: key });
  const agent = await tenant.createAgent();
  const forms = [key, Buffer.from(key).toString('base64'), encodeURIComponent(key)];
  const said = `Your keys ${forms.join(' and ')} are no good.`;
  await cluster.control.setScript({
    rules: [{ match: { api_key: 'JJJ1' }, fault: { type: 'status', status: 401, message: said } }],
  });
  const turn = await tenant.run(agent.id, 'Hello?');
  expect(turn).toMatchObject({ status: 'failed', error: { code: 'model_authentication' } });
  expect(await seen()).toEqual(['JJJ1']);
  const { rows: tables } = await cluster.database.pool.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  const texts = [
    JSON.stringify(turn),
    [cluster.api, ...cluster.workers].flatMap((it) => it?.lines).join('\n'),
  ];
  for (const { name } of tables) {
    const { rows } = await cluster.database.pool.query(`SELECT t::text AS row FROM ${name} AS t`);
    texts.push(JSON.stringify(rows));
  }
  expect(texts.join('\n')).toContain('are no good');
  for (const form of forms) expect(texts.filter((text) => text.includes(form))).toEqual([]);
});

test('a worker without a key of the operator’s serves the tenants that bring one', async () => {
  await Promise.all(cluster.workers.map((worker) => worker.end('SIGTERM')));
  await cluster.startWorker({ ANTHROPIC_API_KEY: '' });
  const own = await TestTenant.create(cluster);
  await own.useKeys({ anthropic: 'key-of-the-tenant-KKK1' });
  const without = await TestTenant.create(cluster, { operatorKey: true });
  const [served, failed] = await Promise.all(
    [own, without].map(async (tenant) => tenant.run((await tenant.createAgent()).id, 'Hello?')),
  );
  expect(served).toMatchObject({ status: 'completed' });
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'model_key_missing' } });
  const calls: Call[] = await cluster.control.calls();
  expect(calls.map((call) => call.api_key_last4)).toEqual(['KKK1']);
});
