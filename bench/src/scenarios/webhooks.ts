import { once } from 'node:events';
import { createServer } from 'node:http';
import { untilTrue } from '../../../tests/support/until-true.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';

/** Deliveries that are due already, to a receiver on this machine that takes all of them. */
export const webhooks: Scenario = {
  name: 'webhooks',
  async run({ stage, progress, quick }) {
    const count = quick ? 300 : 2_000;
    progress.begin('webhooks', 3);
    progress.step('warm-up');
    let arrived = 0;
    const receiver = createServer((call, answer) => {
      call.resume().on('end', () => {
        arrived += 1;
        answer.writeHead(204).end();
      });
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const address = receiver.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const turnpike = await Turnpike.start(stage, { workers: 1 });
    const wire = turnpike.wire();
    const endpoint = await wire.request('POST', '/v1/webhook_endpoints', {
      url: `http://127.0.0.1:${String(port)}/hook`,
      events: ['turn.completed'],
    });
    await wire.close();
    const deliver = async (deliveries: number): Promise<number> => {
      arrived = 0;
      const began = performance.now();
      await turnpike.database.pool.query(
        `INSERT INTO deliveries (id, tenant_id, endpoint_id, lane, event_id, type, payload)
         SELECT turnpike_new_id('dlv'), $1, $2, $2, turnpike_new_id('evt'), 'ping', '{}'
         FROM generate_series(1, $3::int)`,
        [turnpike.tenantId, endpoint['id'], deliveries],
      );
      await untilTrue('all have arrived', () => arrived >= deliveries, 120_000);
      return (deliveries / (performance.now() - began)) * 1_000;
    };
    await deliver(100);
    progress.step(`${count} deliveries`);
    const perSecond = await deliver(count);
    await turnpike.stop();
    receiver.closeAllConnections();
    receiver.close();
    return [{ what: 'deliveries to one endpoint, one worker', value: perSecond, unit: '/s' }];
  },
};
