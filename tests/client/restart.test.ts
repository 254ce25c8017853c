import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Turnpike } from '@turnpike/client';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { Cluster } from '../support/cluster.ts';
import type { Program } from '../support/program.ts';
import { untilTrue } from '../support/until-true.ts';

let cluster: Cluster;
let proxy: TcpProxy;
let turnpike: Turnpike;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.start({
    workers: 1,
    environment: { JOB_AGE_MS: '300' },
  });
  proxy = await startTcpProxy(portOf(cluster.api));
  turnpike = new Turnpike({ baseUrl: `http://127.0.0.1:${proxy.port}`, apiKey: cluster.apiKey });
  agentId = (
    await turnpike.agents.create({
      name: 'a',
      model: 'claude-sonnet-4-5',
      tools: [
        {
          type: 'client',
          name: 'where_am_i',
          description: 'Tells where the user is.',
          input_schema: { type: 'object', properties: {} },
        },
      ],
    })
  ).id;
});
beforeEach(() => cluster.control.reset());
afterAll(async () => {
  await proxy.stop();
  await cluster.stop();
});

const portOf = (program: Program | null): number => Number(program?.hello['port']);

/** Ends the API, lets the client meet a refusal, and starts another one. */
async function restartApi(signal: NodeJS.Signals): Promise<void> {
  await cluster.api?.end(signal);
  const { connections } = proxy;
  await untilTrue('the client has tried in vain', () => proxy.connections > connections + 1);
  await cluster.startApi();
  proxy.retarget(portOf(cluster.api));
}

test.each(['SIGTERM', 'SIGKILL'] as const)('a wait goes on over an API that ended by %s', async (signal) => {
  await cluster.control.setScript({
    rules: [{ reply: { text: 'Noon.' }, fault: { type: 'hang', after_events: 1 } }],
  });
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'What time is it?' });
  const waiting = turnpike.turns.wait(id, { timeoutMs: 60_000 });
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await restartApi(signal);
  await cluster.control.release();
  expect(await waiting).toMatchObject({ id, status: 'completed', output_text: 'Noon.' });
});

test('what is submitted while the API is away is submitted once it is back, as one turn', async () => {
  await cluster.control.setScript({ rules: [{ reply: { text: 'Noon.' } }] });
  const session = await turnpike.sessions.create({ agent_id: agentId });
  await cluster.api?.end('SIGKILL');
  const submitted = turnpike.turns.submit({ session_id: session.id, input: 'Hi' }, { maxRetries: 20 });
  const { connections } = proxy;
  await untilTrue('the client has tried in vain', () => proxy.connections > connections);
  await cluster.startApi();
  proxy.retarget(portOf(cluster.api));
  const { id } = await submitted;
  expect(await turnpike.turns.wait(id)).toMatchObject({ status: 'completed' });
  expect((await turnpike.sessions.get(session.id)).turn_count).toBe(1);
});

test('a turn that needs an output is waited for, answered, and waited for to its end', async () => {
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'where_am_i' }] } },
      { match: { step: 1 }, reply: { text: 'You are {{tool_result}}' } },
    ],
  });
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Where am I?' });
  const texts: string[] = [];
  const showing = (async () => {
    for await (const text of turnpike.turns.text(id)) texts.push(text);
  })();
  const ended = turnpike.turns.wait(id, { until: 'final' });
  const { status, required_action: action } = await turnpike.turns.wait(id);
  expect(status).toBe('requires_action');
  await turnpike.turns.submitToolOutputs(
    id,
    (action?.tool_calls ?? []).map((call) => ({ tool_call_id: call.id, output: 'in Lisbon.' })),
  );
  expect(await ended).toMatchObject({ status: 'completed', output_text: 'You are in Lisbon.' });
  await showing;
  expect(texts.at(-1)).toBe('You are in Lisbon.');
});

test('a turn that runs is cancelled, and the wait ends when that is confirmed', async () => {
  await cluster.control.setScript({
    rules: [{ reply: { text: 'Noon.' }, fault: { type: 'hang', after_events: 1 } }],
  });
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'What time is it?' });
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await turnpike.turns.cancel(id);
  expect(await turnpike.turns.wait(id)).toMatchObject({ status: 'cancelled' });
});
