import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { startRedis } from '../support/redis-server.ts';
import { untilTrue } from '../support/until-true.ts';
import { Receiver, verify } from './support/receiver.ts';
import { WebhookCluster } from './support/webhook-cluster.ts';

/** Only ends what would never end: whole clusters start here, on machines that may have much else to do. */
jest.setTimeout(300_000);

let webhooks: WebhookCluster | undefined;
let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(async () => {
  await webhooks?.stop();
  await receiver.stop();
});

test('a worker that is killed after its POST and before it records it: it is delivered again, with the same id', async () => {
  webhooks = await WebhookCluster.start();
  const endpoint = await webhooks.endpoint(`${receiver.url}/held`);
  // It takes the event, and has not answered when the worker dies.
  receiver.behaviours.set('/held', () => undefined);
  const { id, event_id: eventId } = await webhooks.ping(endpoint);
  await untilTrue('it has come', () => receiver.at('/held').length === 1);
  await webhooks.cluster.workers[0]?.end('SIGKILL');
  receiver.behaviours.delete('/held');
  await webhooks.cluster.startWorker();

  const delivered = await webhooks.until(id, 'delivered');
  // The first attempt was never recorded.
  expect(delivered).toMatchObject({ attempts: 1 });
  const received = receiver.at('/held');
  expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([eventId, eventId]);
  for (const one of received) verify(endpoint.signing_secret, one);
  const [first, second] = received.map(({ headers }) => Number(headers['webhook-timestamp']));
  expect(second).toBeGreaterThan(first ?? 0);
});

test('a worker that is told to stop finishes the deliveries that are on their way, and leaves the rest', async () => {
  webhooks = await WebhookCluster.start();
  const endpoint = await webhooks.endpoint(`${receiver.url}/held`);
  let answer = (): void => undefined;
  receiver.behaviours.set('/held', (response) => {
    answer = () => void response.writeHead(204).end();
  });
  const { id } = await webhooks.ping(endpoint);
  await untilTrue('it has come', () => receiver.at('/held').length === 1);
  const [worker] = webhooks.cluster.workers;
  const ended = worker?.end('SIGTERM');
  await untilTrue('it drains', () => Boolean(worker?.lines.some((line) => line.includes('Draining'))));
  answer();
  expect(await ended).toBe(0);
  expect(await webhooks.read(id)).toMatchObject({ status: 'delivered', attempts: 1 });
  const { id: left } = await webhooks.ping(endpoint);
  receiver.behaviours.delete('/held');
  await webhooks.cluster.startWorker();
  await webhooks.until(left, 'delivered');
  expect(receiver.at('/held')).toHaveLength(2);
});

const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;

withRedis('Redis is wiped while deliveries wait in it: each of them is made', async () => {
  const redis = await startRedis();
  if (redis === null) throw new Error('There is no redis-server on PATH.');
  try {
    webhooks = await WebhookCluster.start({
      backplaneUrl: redis.url,
      environment: { WEBHOOK_CONCURRENCY: '1' },
    });
    const held = await webhooks.endpoint(`${receiver.url}/held`);
    const other = await webhooks.endpoint(`${receiver.url}/other`);
    const answers: (() => void)[] = [];
    receiver.behaviours.set('/held', (response) => void answers.push(() => response.writeHead(204).end()));
    await webhooks.ping(held);
    await untilTrue('the one slot is in use', () => answers.length === 1);
    const hooks = webhooks;
    const waiting = await Promise.all([1, 2, 3, 4].map(() => hooks.ping(other)));
    await untilTrue('they are enqueued', async () => {
      const { rows } = await hooks.cluster.database.pool.query(
        'SELECT 1 FROM deliveries WHERE endpoint_id = $1 AND hinted_at IS NOT NULL',
        [other.id],
      );
      return rows.length === waiting.length;
    });
    const socket = connect(redis.port, '127.0.0.1');
    socket.write('FLUSHALL\r\n');
    const [said] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(said.toString()).toMatch(/^\+OK/);
    receiver.behaviours.delete('/held');
    for (const answer of answers) answer();
    for (const { id } of waiting) expect(await hooks.until(id, 'delivered')).toMatchObject({ attempts: 1 });
  } finally {
    await webhooks?.stop();
    webhooks = undefined;
    await redis.stop();
  }
});
