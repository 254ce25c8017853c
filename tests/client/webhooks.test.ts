import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Turnpike, webhooks, type WebhookEvent } from '@turnpike/client';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { startFixedResponseServer, type FixedResponseServer } from './support/fixed-response-server.ts';

let cluster: Cluster;
let receiver: FixedResponseServer;
beforeAll(async () => {
  receiver = await startFixedResponseServer((response) => response.writeHead(204).end());
  cluster = await Cluster.join();
});
afterAll(async () => {
  await cluster.stop();
  await receiver.stop();
});

test('what the service delivers is verified with the secret of its endpoint, and tells of the turn', async () => {
  const turnpike = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
  const endpoint = await turnpike.webhookEndpoints.create({ url: `${receiver.url}/hook` });
  const rotated = await turnpike.webhookEndpoints.rotate(endpoint.id);
  const secrets = [endpoint.signing_secret ?? '', rotated.signing_secret ?? ''];
  const agent = await turnpike.agents.create({ name: 'a', model: 'claude-sonnet-4-5' });
  const { id } = await turnpike.turns.submit({ agent_id: agent.id, input: 'Hello' });
  const turn = await turnpike.turns.wait(id);
  await turnpike.webhookEndpoints.ping(endpoint.id);
  await untilTrue('both have come', () => receiver.asked.length >= 2);

  const events: WebhookEvent[] = [];
  for (const { body, headers } of receiver.asked) {
    for (const each of [...secrets, secrets]) events.push(await webhooks.verify(body, headers, each));
    await expect(webhooks.verify(`${body} `, headers, secrets)).rejects.toMatchObject({
      code: 'bad_signature',
    });
    const nowMs = Date.now() + 301_000;
    await expect(webhooks.verify(body, headers, secrets, { nowMs })).rejects.toMatchObject({
      code: 'too_old',
    });
  }
  const completed = events.find((event) => event.type === 'turn.completed');
  expect(completed?.data).toEqual({ turn, truncated: false });
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['turn.completed', 'ping']));
});
