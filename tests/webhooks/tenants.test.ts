import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApiKey, createTenant } from '@turnpike/store';
import type { Delivery } from '@turnpike/contract';
import { untilTrue } from '../support/until-true.ts';
import { Receiver } from './support/receiver.ts';
import { WebhookCluster, type Endpoint } from './support/webhook-cluster.ts';

const CONCURRENCY = 8;

let webhooks: WebhookCluster;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.start();
  webhooks = await WebhookCluster.start({
    // What hangs does so until the test is over.
    environment: { WEBHOOK_CONCURRENCY: String(CONCURRENCY), WEBHOOK_TIMEOUT_MS: '30000' },
  });
});
afterAll(async () => {
  await webhooks.stop();
  await receiver.stop();
});

test('a tenant whose receivers all begin to hang at once keeps no other tenant’s deliveries waiting', async () => {
  const { cluster } = webhooks;
  const paths = Array.from({ length: CONCURRENCY }, (_, index) => `/hangs/${index}`);
  const hung = (): number => paths.reduce((sum, path) => sum + receiver.at(path).length, 0);
  for (const path of paths) {
    receiver.behaviours.set(path, () => undefined);
    const endpoint = await webhooks.endpoint(`${receiver.url}${path}`);
    await Promise.all([webhooks.ping(endpoint), webhooks.ping(endpoint)]);
  }
  await untilTrue('all that may hang hangs', () => hung() >= CONCURRENCY / 2);

  const tenantId = await createTenant(cluster.database, 'Other');
  const { key } = await createApiKey(cluster.database.pool, { tenantId, name: 'test', scopes: ['admin'] });
  const headers = { authorization: `Bearer ${key}` };
  const body = { url: `${receiver.url}/good`, events: ['turn.completed'] };
  const made = await cluster.request('POST', '/v1/webhook_endpoints', body, headers);
  const { id } = made.body as Endpoint;
  for (let ping = 1; ping <= 2; ping++) {
    const asked = await cluster.request('POST', `/v1/webhook_endpoints/${id}/ping`, undefined, headers);
    expect((asked.body as Delivery).status).toBe('pending');
    await untilTrue('it has come', () => receiver.at('/good').length === ping);
  }
  expect(hung()).toBe(CONCURRENCY / 2);
  // None of them was given up meanwhile: there was room beside them.
  const ofTenant = await webhooks.deliveries();
  expect(ofTenant.every(({ status }) => status === 'pending')).toBe(true);
});
