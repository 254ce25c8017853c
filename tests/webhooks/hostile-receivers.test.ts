import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Delivery } from '@turnpike/contract';
import { freePort } from '../support/free-port.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { answerWith, Receiver, verify, type Behaviour } from './support/receiver.ts';
import { WebhookCluster, type Endpoint } from './support/webhook-cluster.ts';

/** Only ends what would never end: whole clusters start here, on machines that may have much else to do. */
jest.setTimeout(300_000);

/** Deliveries to each of them: more than one, so that breakers open, and those that wait must not block others. */
const EACH = 4;
const ATTEMPTS = 3;
/** Long enough for a response of a receiver that is not slow, on a machine that is. */
const TIMEOUT_MS = 4_000;
/** Receivers that are down, and deliveries to each of them. */
const { receivers: DEAD, deliveries: WAITING } = byLength({
  short: { receivers: 20, deliveries: 50 },
  long: { receivers: 100, deliveries: 100 },
});
const GIGABYTE = 1024 ** 3;
/** What a worker may take more than before, by a gigabyte of responses and all the rest. */
const MOST_GROWTH = 150 * 1024 ** 2;

let webhooks: WebhookCluster;
let receiver: Receiver;
/** Where the worker may not go, on the same port, with a count of who came. */
let forbidden: { connections: number; close(): Promise<void> };
let metricsPort: number;

beforeAll(async () => {
  receiver = await Receiver.start();
  forbidden = await listenForAnybody('127.0.0.2', receiver.port);
  metricsPort = await freePort();
  webhooks = await WebhookCluster.start({ workers: 0 });
  await webhooks.cluster.startWorker(
    {
      WEBHOOK_TIMEOUT_MS: String(TIMEOUT_MS),
      WEBHOOK_RETRY_SCHEDULE: '100ms,150ms',
      METRICS_PORT: String(metricsPort),
    },
    ['--import', new URL('support/dns.mjs', import.meta.url).href],
  );
});
afterAll(async () => {
  await webhooks.stop();
  await receiver.stop();
  await forbidden.close();
});

async function listenForAnybody(host: string, port: number): Promise<typeof forbidden> {
  const server = createServer((socket) => {
    counter.connections += 1;
    socket.destroy();
  });
  server.listen(port, host);
  await once(server, 'listening');
  const counter = {
    connections: 0,
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
  return counter;
}

async function readMetric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`) || one.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1));
}

/** An endless response, written as fast as it is read; it counts what was read. */
const streams = { written: 0, count: 0 };
const streamForEver: Behaviour = (response) => {
  streams.count += 1;
  response.writeHead(500, { 'content-length': String(GIGABYTE) });
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const write = (): void => {
    while (!response.destroyed && response.write(chunk)) streams.written += chunk.length;
    if (!response.destroyed) response.once('drain', write);
  };
  write();
};

const HOSTILE: Record<string, { behaviour: Behaviour; code: string; status: number | null }> = {
  fails: { behaviour: answerWith(500), code: 'status_refused', status: 500 },
  'is not there': { behaviour: answerWith(404), code: 'status_refused', status: 404 },
  hangs: { behaviour: () => undefined, code: 'answer_timeout', status: null },
  redirects: {
    behaviour: (response) =>
      void response.writeHead(302, { location: `http://127.0.0.2:${receiver.port}/` }).end(),
    code: 'redirect_refused',
    status: 302,
  },
  'closes early': {
    behaviour: (response) => void response.destroy(),
    code: 'connection_lost',
    status: null,
  },
  'answers a gigabyte': { behaviour: streamForEver, code: 'status_refused', status: 500 },
};
const NAMES: Record<string, string> = {
  'private.test': 'address_refused',
  'metadata.test': 'address_refused',
  'forbidden.test': 'address_refused',
  'no-such-name.invalid': 'dns_failed',
};

test('hostile receivers end as documented, delay no others, cost no memory, and cannot redirect a worker to a forbidden address', async () => {
  const good = await webhooks.endpoint(`${receiver.url}/good`);
  const pings = async (endpoint: Endpoint): Promise<Delivery[]> =>
    Promise.all(Array.from({ length: EACH }, () => webhooks.ping(endpoint)));
  /** When the last of them came, in milliseconds after the first was asked for. */
  const pingGood = async (): Promise<number> => {
    const before = receiver.at('/good').length;
    const start = performance.now();
    await pings(good);
    await untilTrue('all have come', () => receiver.at('/good').length === before + EACH);
    return (receiver.at('/good').at(-1)?.at ?? 0) - start;
  };
  await pingGood();
  const alone = await pingGood();
  const memory = await readMetric('process_resident_memory_bytes');

  const attacks = new Map<string, Delivery[]>();
  for (const [name, { behaviour }] of Object.entries(HOSTILE)) {
    const path = `/${name.replaceAll(' ', '-')}`;
    receiver.behaviours.set(path, behaviour);
    attacks.set(name, await pings(await webhooks.endpoint(`${receiver.url}${path}`)));
  }
  for (const name of [...Object.keys(NAMES), 'flip.test']) {
    attacks.set(name, await pings(await webhooks.endpoint(`https://${name}:${receiver.port}/`)));
  }
  const among = await pingGood();

  for (const [name, deliveries] of attacks) {
    for (const { id } of deliveries) {
      const { attempt_log: log, attempts } = await webhooks.until(id, 'dead');
      expect([name, attempts]).toEqual([name, ATTEMPTS]);
      for (const attempt of log) {
        const { code, status } = HOSTILE[name] ?? { code: NAMES[name], status: null };
        if (name === 'flip.test')
          expect(['address_refused', 'tls_failed', 'connect_failed', 'connect_timeout']).toContain(
            attempt.error_code,
          );
        else expect([name, attempt.error_code, attempt.response_status]).toEqual([name, code, status]);
        expect(Buffer.byteLength(attempt.response_body ?? '')).toBeLessThanOrEqual(1_024);
      }
    }
  }
  expect(forbidden.connections).toBe(0);
  expect(streams.count).toBe(ATTEMPTS * EACH);
  // What the kernel's buffers hold of each, and not a gigabyte.
  expect(streams.written / streams.count).toBeLessThan(32 * 1024 ** 2);
  expect((await readMetric('process_resident_memory_bytes')) - memory).toBeLessThan(MOST_GROWTH);
  for (const received of receiver.at('/good')) verify(good.signing_secret, received);
  // In the same run, on the same machine: not behind those that hang, for whom it would take many timeouts.
  process.stdout.write(
    `[webhooks] good ones alone ${Math.round(alone)} ms, among hostile ones ${Math.round(among)} ms\n`,
  );
  expect(among).toBeLessThan(alone + EACH * TIMEOUT_MS);
  const { rows } = await webhooks.cluster.database.pool.query(
    `SELECT count(*)::int AS slow FROM deliveries WHERE endpoint_id = $1 AND attempts > 1`,
    [good.id],
  );
  expect(rows).toEqual([{ slow: 0 }]);
});

test(`${WAITING} deliveries to each of ${DEAD} dead receivers delay no others, and cost what is tried of them`, async () => {
  const { pool } = webhooks.cluster.database;
  const { tenantId } = webhooks.cluster;
  await pool.query(
    `INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, payload)
     SELECT turnpike_new_id('dlv'), $1, $2, $1 || ' dead-' || receiver, turnpike_new_id('evt'), 'ping', '{}'
     FROM generate_series(1, ${DEAD}) AS receiver, generate_series(1, ${WAITING})`,
    [tenantId, `http://127.0.0.1:${await freePort()}/`],
  );
  const count = async (text: string): Promise<number> => {
    const { rows } = await pool.query<{ count: number }>(`SELECT (${text})::int AS count`);
    return rows[0]?.count ?? 0;
  };
  // Without those of the test before, whose circuit breakers may still be open.
  const open = `SELECT count(*) FROM webhook_receivers WHERE open_until IS NOT NULL AND id LIKE '% dead-%'`;
  await untilTrue('each of them is found to be down', async () => (await count(open)) === DEAD);

  const other = await webhooks.endpoint(`${receiver.url}/beside`);
  for (let ping = 0; ping < 5; ping++) {
    const { attempts } = await webhooks.until((await webhooks.ping(other)).id, 'delivered');
    expect(attempts).toBe(1);
    // One probe each; what was on its way when they were found to be down is over.
    expect(
      await count(`SELECT count(*) FROM deliveries WHERE url IS NOT NULL AND hinted_at IS NOT NULL`),
    ).toBeLessThanOrEqual(2 * DEAD);
  }

  const attempts = `SELECT sum(attempts) FROM deliveries`;
  const written = `SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'deliveries'`;
  const before = { attempts: await count(attempts), written: await count(written) };
  await untilTrue(
    'all are probed some times',
    async () => (await count(attempts)) >= before.attempts + 5 * DEAD,
  );
  const made = (await count(attempts)) - before.attempts;
  const rows = (await count(written)) - before.written;
  process.stdout.write(
    `[webhooks] ${made} probes of dead receivers, ${(rows / made).toFixed(1)} rows written for each\n`,
  );
  // Picked, claimed, recorded, and put behind its receiver again.
  expect(rows).toBeLessThan(made * 6);
  expect(
    await count(
      `SELECT count(*) FROM deliveries WHERE url IS NOT NULL AND attempts = 0 AND status = 'pending'`,
    ),
  ).toBeGreaterThan((DEAD * WAITING) / 2);
});
