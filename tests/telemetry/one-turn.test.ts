import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { z } from 'zod';
import { spawn } from 'node:child_process';
import { findProgram } from '../cli/command-line.ts';
import { ConsolePages } from '../console/support.ts';
import { testInBrowser } from '../support/browser.ts';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import type { Program } from '../support/program.ts';
import { untilTrue } from '../support/until-true.ts';
import { answerWith, Receiver } from '../webhooks/support/receiver.ts';
import { attributeOf, Collector, type CollectedSpan } from './support/collector.ts';

/** What must be in no log line, metric or trace. */
const CANARIES = {
  prompt: 'canary-of-the-prompt',
  output: 'canary-of-the-output',
  toolInput: 'canary-of-the-tool-input',
  toolOutput: 'canary-of-the-tool-output',
  secret: 'canary-of-the-secret',
  url: 'canary-of-the-url',
  collectorKey: 'canary-of-the-collector-key',
};
const STRANGER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let cluster: Cluster;
let collector: Collector;
let receiver: Receiver;
let metricsUrls: Record<'api' | 'worker', string>;
let turn: Turn;
let endpointId: string;
let agentId: string;

beforeAll(async () => {
  collector = await Collector.start();
  receiver = await Receiver.start();
  const [apiPort, workerPort] = [await freePort(), await freePort()];
  metricsUrls = {
    api: `http://127.0.0.1:${apiPort}/metrics`,
    worker: `http://127.0.0.1:${workerPort}/metrics`,
  };
  cluster = await Cluster.start({
    workers: 0,
    environment: {
      TRACE_URL: 'https://tracing.example/trace/{trace_id}',
      EGRESS_ALLOW: '127.0.0.1',

      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${CANARIES.collectorKey}`,
      OTEL_BSP_SCHEDULE_DELAY: '100',
      METRICS_PORT: String(apiPort),
    },
  });
  await cluster.startWorker({ METRICS_PORT: String(workerPort) });
  await cluster.request('PUT', '/v1/secrets/pass', { value: CANARIES.secret });
  receiver.behaviours.set('/tool', answerWith(200, {}, CANARIES.toolOutput));
  const events = ['turn.completed'];
  const endpoint = await ask('POST', '/v1/webhook_endpoints', {
    url: `${receiver.url}/hook?key=${CANARIES.url}`,
    events,
  });
  endpointId = endpoint.id;
  await ask('POST', '/v1/tools', {
    name: 'search',
    description: 'On trial.',
    input_schema: { type: 'object', properties: { text: { type: 'string' } } },
    url: `${receiver.url}/tool`,
    headers: { 'x-pass': { secret: 'pass' } },
  });
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'search', input: { text: CANARIES.toolInput } }] } },
      { match: { step: 1 }, reply: { text: CANARIES.output } },
    ],
  });
  agentId = (await cluster.createAgent({ tools: [{ type: 'http', name: 'search' }] })).id;
  const response = await cluster.request(
    'POST',
    '/v1/turns',
    { agent_id: agentId, input: CANARIES.prompt },
    { traceparent: STRANGER },
  );
  expect(response.status).toBe(202);
  expect((response.body as Turn).trace_id).toMatch(/^[0-9a-f]{32}$/);
  turn = await cluster.untilEnded((response.body as Turn).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: CANARIES.output });
  await untilTrue('the webhook has come', () => receiver.received.length === 2);
});

afterAll(async () => {
  await cluster.stop();
  await receiver.stop();
  await collector.stop();
});

async function ask(method: string, path: string, body: unknown): Promise<{ id: string }> {
  const response = await cluster.request(method, path, body);
  if (response.status >= 300) throw new Error(`${path}: ${JSON.stringify(response.body)}`);
  return response.body as { id: string };
}

type Line = Record<string, unknown>;
const asLine = z.record(z.string(), z.unknown());

/** The lines of a program that say one thing, once there are so many. */
async function linesThat(program: Program | null | undefined, message: string, count = 1): Promise<Line[]> {
  const find = (): Line[] =>
    (program?.lines ?? [])
      .map((line) => asLine.parse(JSON.parse(line)))
      .filter((line) => line['message'] === message);
  await untilTrue(`it says: ${message}`, () => find().length >= count);
  return find();
}

test('the access lines of a turn name the request, the tenant, the session and the turn', async () => {
  const lines = await linesThat(cluster.api, 'Request.');
  const ids = { tenant_id: cluster.tenantId, session_id: turn.session_id, turn_id: turn.id };
  const request = {
    request_id: expect.stringMatching(/^req_/),
    trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
  };
  const of = (route: string, method: string): Line | undefined =>
    lines.find((line) => line['route'] === route && line['method'] === method);
  expect(of('/v1/turns', 'POST')).toMatchObject({ ...ids, ...request });
  expect(of('/v1/turns/:turn_id', 'GET')).toMatchObject({ ...ids, ...request });
  expect(of('/v1/agents', 'POST')).toMatchObject({ tenant_id: cluster.tenantId, ...request });
});

test('each line of a worker about a turn names the turn, tenant, session and epoch', async () => {
  const [worker] = cluster.workers;
  const ids = { turn_id: turn.id, tenant_id: cluster.tenantId, session_id: turn.session_id, epoch: 1 };
  for (const [message, count] of [
    ['Turn claimed.', 1],
    ['Model responded.', 2],
    ['An HTTP tool responded.', 1],
    ['Turn released.', 1],
  ] as const) {
    const lines = await linesThat(worker, message, count);
    expect(lines).toHaveLength(count);
    for (const line of lines) expect(line).toMatchObject({ ...ids, service: 'worker' });
  }
  const [tool] = await linesThat(worker, 'An HTTP tool responded.');
  expect(tool).toMatchObject({ tool: 'search', tool_call_id: expect.stringMatching(/^call_/) });
});

test('a line about a delivery names it, its event, its endpoint, its turn and its tenant', async () => {
  const [line] = await linesThat(cluster.workers[0], 'Webhook attempted.');
  expect(line).toMatchObject({
    delivery_id: expect.stringMatching(/^dlv_/),
    event_id: expect.stringMatching(/^evt_/),
    webhook_endpoint_id: endpointId,
    turn_id: turn.id,
    tenant_id: cluster.tenantId,
  });
});

test('an error line of the API names the route and who asked', async () => {
  await cluster.database.pool.query('ALTER TABLE agents RENAME TO agents_away');
  const response = await cluster.request('GET', `/v1/agents/${agentId}`);
  await cluster.database.pool.query('ALTER TABLE agents_away RENAME TO agents');
  expect(response.status).toBe(500);
  const [line] = await linesThat(cluster.api, 'Request failed.');
  expect(line).toMatchObject({
    request_id: response.headers.get('x-request-id'),
    tenant_id: cluster.tenantId,
    agent_id: agentId,
    route: '/v1/agents/:agent_id',
  });
});

test('one trace holds the request, the run of the turn, its model and tool calls and the webhook', async () => {
  const find = (name: string): CollectedSpan[] =>
    collector.spans.filter((span) => span.traceId === root()?.traceId && span.name === name);
  const root = (): CollectedSpan | undefined => collector.spans.find(({ name }) => name === 'POST /v1/turns');
  await untilTrue('the webhook is traced', () => find('deliver webhook').length === 1);
  await untilTrue('the turn is traced', () => find('invoke_agent').length === 1);

  const [run] = find('invoke_agent');
  const chats = find('chat claude-sonnet-4-5');
  const tools = find('execute_tool search');
  expect([chats.length, tools.length]).toEqual([2, 1]);
  expect(root()?.parentSpanId).toBeUndefined();
  for (const span of [run, ...find('deliver webhook')]) expect(span?.parentSpanId).toBe(root()?.spanId);
  for (const span of [...chats, ...tools]) expect(span.parentSpanId).toBe(run?.spanId);
  // It records the client's own trace id, and does not become a part of that trace.
  expect(root()?.links).toMatchObject([{ traceId: STRANGER.split('-')[1] }]);
  expect(root()?.traceId).not.toBe(STRANGER.split('-')[1]);
  expect(turn.trace_id).toBe(root()?.traceId);
});

testInBrowser('the console links from the turn to its trace', async () => {
  const pages = new ConsolePages(60_000);
  try {
    const page = await pages.open(cluster.url, cluster.apiKey, `/turns/${turn.id}`);
    const link = page.getByRole('link', { name: turn.trace_id ?? 'none' });
    expect(await link.getAttribute('href')).toBe(`https://tracing.example/trace/${turn.trace_id}`);
  } finally {
    await pages.close();
  }
});

test('spans of calls speak the GenAI conventions', async () => {
  const chat = collector.spans.find(({ name }) => name.startsWith('chat '));
  const tool = collector.spans.find(({ name }) => name.startsWith('execute_tool '));
  if (chat === undefined || tool === undefined) throw new Error('Nothing was traced.');
  expect(attributeOf(chat, 'gen_ai.operation.name')).toBe('chat');
  expect(attributeOf(chat, 'gen_ai.request.model')).toBe('claude-sonnet-4-5');
  expect(Number(attributeOf(chat, 'gen_ai.usage.input_tokens'))).toBeGreaterThan(0);
  expect(Number(attributeOf(chat, 'gen_ai.usage.output_tokens'))).toBeGreaterThan(0);
  expect(attributeOf(tool, 'gen_ai.operation.name')).toBe('execute_tool');
  expect(attributeOf(tool, 'gen_ai.tool.name')).toBe('search');
  expect(attributeOf(tool, 'gen_ai.tool.call.id')).toMatch(/^call_/);
});

test('the collector has its key, and no prompt, output or secret is in a trace, a line or a metric', async () => {
  const lines = [cluster.api, ...cluster.workers].flatMap((program) => program?.lines ?? []);
  const output = [...collector.texts, ...lines, await metricsOf('api'), await metricsOf('worker')].join('\n');
  expect(collector.headers[0]?.['x-collector-key']).toBe(CANARIES.collectorKey);
  expect(output).toContain(turn.id);
  for (const canary of Object.values(CANARIES)) expect(output.includes(canary)).toBe(false);
});

async function metricsOf(service: 'api' | 'worker'): Promise<string> {
  return (await fetch(metricsUrls[service])).text();
}

/** The value of a metric with these labels, whatever other labels it has; NaN where there is none. */
function valueOf(text: string, name: string, labels: Record<string, string> = {}): number {
  const line = text
    .split('\n')
    .filter((each) => each.startsWith(`${name}{`))
    .find((each) => Object.entries(labels).every(([label, value]) => each.includes(`${label}="${value}"`)));
  return Number(line?.split(' ').at(-1) ?? NaN);
}

test('what happened to the turn is counted and timed', async () => {
  const api = await metricsOf('api');
  const worker = await metricsOf('worker');
  const model = 'claude-sonnet-4-5';
  expect(valueOf(api, 'turnpike_turn_accept_duration_seconds_count')).toBe(1);
  expect(valueOf(worker, 'turnpike_turn_dispatch_duration_seconds_count')).toBe(1);
  expect(valueOf(worker, 'turnpike_turn_duration_seconds_count', { status: 'completed' })).toBe(1);
  expect(valueOf(worker, 'turnpike_steps_total', { type: 'model_call' })).toBe(2);
  expect(valueOf(worker, 'turnpike_steps_total', { type: 'tool_calls' })).toBe(1);
  expect(valueOf(worker, 'turnpike_model_calls_total', { model, outcome: 'ok' })).toBe(2);
  expect(valueOf(worker, 'turnpike_model_call_duration_seconds_count', { model })).toBe(2);
  expect(valueOf(worker, 'turnpike_model_time_to_first_token_seconds_count', { model })).toBe(1);
  expect(valueOf(worker, 'turnpike_model_tokens_total', { direction: 'input' })).toBe(
    turn.usage.input_tokens,
  );
  expect(valueOf(worker, 'turnpike_model_tokens_total', { direction: 'output' })).toBe(
    turn.usage.output_tokens,
  );
  expect(valueOf(worker, 'turnpike_model_cost_dollars_total') * 1_000_000).toBeCloseTo(turn.cost_micros);
  expect(valueOf(worker, 'turnpike_tool_calls_total', { kind: 'http', outcome: 'ok' })).toBe(1);
  expect(valueOf(worker, 'turnpike_webhook_attempts_total', { outcome: 'delivered' })).toBe(1);
  for (const queue of ['turns', 'deliveries']) {
    expect(valueOf(api, 'turnpike_queue_waiting', { queue })).toBe(0);
  }
  for (const state of ['ready', 'dispatched', 'delayed']) {
    expect(valueOf(api, 'turnpike_turns_waiting', { state })).toBe(0);
  }
  expect(valueOf(worker, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
  expect(valueOf(api, 'turnpike_database_connections', { state: 'idle' })).toBeGreaterThanOrEqual(0);
});

test('no label is an id, and each metric of ours says what it means and has a name as Prometheus wants it', async () => {
  for (const text of [await metricsOf('api'), await metricsOf('worker')]) {
    expect(text).not.toMatch(/="(ten|turn|sess|agent|call|wh|dlv|key|evt)_/);
    const types = [...text.matchAll(/^# TYPE (turnpike_\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]);
    expect(types.length).toBeGreaterThan(8);
    for (const [name = '', type] of types) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} .{20,}$`, 'm'));
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  }
});

/** Prometheus's own checker. Skipped where there is none: `apt-get install prometheus` brings it. */
const promtool = findProgram('promtool');
const withPromtool = promtool === undefined ? test.skip : test;

withPromtool.each(['api', 'worker'] as const)(
  'Prometheus itself finds nothing wrong with the metrics of the %s',
  async (program) => {
    const checker = spawn(String(promtool), ['check', 'metrics'], { stdio: ['pipe', 'ignore', 'pipe'] });
    // Node's own, by their usual names, are those of a library.
    const ours = (await metricsOf(program))
      .split('\n')
      .filter((line) => /^(# \w+ )?turnpike_/.test(line))
      .join('\n');
    checker.stdin.end(`${ours}\n`);
    let found = '';
    for await (const piece of checker.stderr) found += String(piece);
    expect(found).toBe('');
  },
);

test.each([
  'deploy/grafana/turnpike.json',
  'deploy/grafana/webhooks.json',
  'deploy/prometheus/alerts.yml',
  'deploy/prometheus/slos.yml',
])('each metric that %s asks for is there', async (file) => {
  const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
  const metrics = (await metricsOf('api')) + (await metricsOf('worker'));
  const there = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const asked = new Set(
    [...text.matchAll(/\b(?:turnpike|nodejs|process)_[a-z0-9_]+/g)].map(([name]) =>
      there.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''),
    ),
  );
  expect(asked.size).toBeGreaterThan(2);
  expect([...asked].filter((name) => !there.has(name))).toEqual([]);
});

const dashboardSchema = z.object({
  panels: z.array(
    z.looseObject({
      title: z.string(),
      targets: z.array(z.looseObject({ rawSql: z.string().optional() })).default([]),
    }),
  ),
});

test.each(['tenants', 'webhooks'])(
  'what the dashboard of %s asks of Postgres can be read, and nothing is written',
  async (name) => {
    const text = await readFile(new URL(`../../deploy/grafana/${name}.json`, import.meta.url), 'utf8');
    const { panels } = dashboardSchema.parse(JSON.parse(text));
    const statements = panels.flatMap(({ title, targets }) =>
      targets.flatMap(({ rawSql }) => (rawSql === undefined ? [] : [{ title, rawSql }])),
    );
    expect(statements.length).toBeGreaterThan(1);
    const client = await cluster.database.pool.connect();
    try {
      await client.query('BEGIN READ ONLY');
      for (const { title, rawSql } of statements) {
        const { fields } = await client.query(rawSql);
        expect([title, fields.length > 2]).toEqual([title, true]);
      }
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  },
);

test('what cannot be read takes no other number with it', async () => {
  await cluster.database.pool.query('ALTER TABLE turns RENAME TO turns_away');
  try {
    // What was read a moment ago is kept for a few seconds.
    await untilTrue('it cannot be read', async () => {
      const text = await metricsOf('api');
      return Number.isNaN(valueOf(text, 'turnpike_turns_waiting', { state: 'ready' }));
    });
    expect(valueOf(await metricsOf('api'), 'turnpike_queue_waiting', { queue: 'turns' })).toBe(0);
    await linesThat(cluster.api, 'A metric could not be read.');
  } finally {
    await cluster.database.pool.query('ALTER TABLE turns_away RENAME TO turns');
  }
});
