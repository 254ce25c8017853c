import { once } from 'node:events';
import { createServer } from 'node:http';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { ask } from '../stage.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';
import { cpuShare } from '../vitals.ts';

/** Deliveries that are already due, to a local receiver that accepts all of them. */
export const webhooks: Scenario = {
  name: 'webhooks',
  async run({ stage, progress, quick }) {
    const count = quick ? 300 : 2_000;
    progress.begin('webhooks', 5);
    progress.step('warm-up');
    let arrived = 0;
    const receiver = createServer((call, response) => {
      call.resume().on('end', () => {
        arrived += 1;
        response.writeHead(204).end();
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
    const idleMs = quick ? 5_000 : 20_000;
    /** The worker's share of a processor, and the statements and rows that Postgres writes per second. */
    const rest = async (): Promise<{ worker: number; statements: number; rows: number }> => {
      const [worker] = turnpike.workers;
      if (worker === undefined) throw new Error('There is no worker.');
      const written = async (): Promise<number> => {
        const [row] = await ask(
          turnpike.databaseUrl,
          `SELECT n_tup_upd::int AS rows FROM pg_stat_user_tables WHERE relname = 'deliveries'`,
        );
        return Number(row?.['rows']);
      };
      await ask(stage.postgresUrl, 'SELECT pg_stat_statements_reset()');
      const rowsBefore = await written();
      await worker.vitals();
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      const vitals = await worker.vitals();
      const rows = (await written()) - rowsBefore;
      const [calls] = await ask(stage.postgresUrl, 'SELECT sum(calls)::int AS calls FROM pg_stat_statements');
      const seconds = idleMs / 1_000;
      return {
        worker: cpuShare(vitals),
        statements: Number(calls?.['calls']) / seconds,
        rows: rows / seconds,
      };
    };
    progress.step('at rest, nothing waits');
    const idle = await rest();
    progress.step('10,000 wait for 100 receivers that are down');
    receiver.closeAllConnections();
    receiver.close();
    await turnpike.database.pool.query(
      `INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, payload)
       SELECT turnpike_new_id('dlv'), $1, $2, $1 || ' ' || receiver, turnpike_new_id('evt'), 'ping', '{}'
       FROM generate_series(1, 100) AS receiver, generate_series(1, 100)`,
      [turnpike.tenantId, `http://127.0.0.1:${String(port)}/hook`],
    );
    // Their circuit breakers have opened often enough to stay open for a minute.
    await untilTrue(
      'all circuit breakers are open',
      async () => {
        const { rows } = await turnpike.database.pool.query<{ open: number }>(
          `SELECT count(*)::int AS open FROM webhook_receivers WHERE openings >= ${quick ? 1 : 4}`,
        );
        return rows[0]?.open === 100;
      },
      300_000,
    );
    const dead = await rest();
    await turnpike.stop();
    return [
      { what: 'deliveries to one endpoint, one worker', value: perSecond, unit: '/s' },
      { what: 'processor of the worker at rest', value: idle.worker, unit: 'of one' },
      { what: 'the same, 10,000 waiting for 100 dead receivers', value: dead.worker, unit: 'of one' },
      { what: 'statements of all processes at rest', value: idle.statements, unit: '/s' },
      { what: 'the same, 10,000 waiting for 100 dead receivers', value: dead.statements, unit: '/s' },
      { what: 'rows of deliveries written meanwhile', value: dead.rows, unit: '/s' },
    ];
  },
};
