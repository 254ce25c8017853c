import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startModelSim, type ModelSim } from '@turnpike/model-sim';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { untilTrue } from '../support/until-true.ts';

let cluster: Cluster;
let port: number;
let gateway: ModelSim | undefined;
beforeAll(async () => {
  port = await freePort();
  cluster = await Cluster.start({
    workers: 1,
    environment: { ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`, RECONCILE_EVERY_MS: '100' },
  });
});
afterAll(async () => {
  await gateway?.close();
  await cluster.stop();
});

test('a turn outlives an API that is away longer than its first attempts, and says meanwhile what it waits for', async () => {
  const agent = await cluster.createAgent();
  const { id } = await cluster.submit({ agentId: agent.id }, 'Are you there?');
  await untilTrue('its attempts are used up, and it waits', async () => {
    const { status, error } = await cluster.read(id);
    return status === 'queued' && error?.code === 'model_unavailable';
  });
  expect((await cluster.read(id)).error).toMatchObject({ retry_status: 'retrying', attempts: 3 });
  gateway = await startModelSim({ port });
  expect(await cluster.untilEnded(id, 60_000)).toMatchObject({ status: 'completed', error: null });
});
