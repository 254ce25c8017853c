import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startModelSim, type ModelSim } from '@turnpike/model-sim';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

let cluster: Cluster;
let sim: ModelSim;
let gateway: Server;
let isAway = true;
beforeAll(async () => {
  sim = await startModelSim({ port: 0 });
  const { port } = new URL(sim.url);
  // It holds its port all the time, so that no other server gets it meanwhile.
  gateway = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (isAway) {
      socket.destroy();
      return;
    }
    const upstream = connect(Number(port), '127.0.0.1');
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const address = gateway.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  cluster = await Cluster.start({
    workers: 1,
    environment: { ANTHROPIC_BASE_URL: `http://127.0.0.1:${address.port}` },
  });
});
afterAll(async () => {
  await cluster.stop();
  gateway.close();
  await sim.close();
});

test('a turn outlives an API that is away longer than its first attempts, and says meanwhile what it waits for', async () => {
  const agent = await cluster.createAgent();
  const { id } = await cluster.submit({ agentId: agent.id }, 'Are you there?');
  await untilTrue('its attempts are used up, and it waits', async () => {
    const { status, error } = await cluster.read(id);
    return status === 'queued' && error?.retry_status === 'retrying' && (error.attempts ?? 0) >= 3;
  });
  isAway = false;
  expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed', error: null });
});
