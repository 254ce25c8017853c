import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { addCustomer, type Customer } from './support/tenant-of.ts';

/** Only ends what would never end: whole clusters start here, on machines that may have much else to do. */
jest.setTimeout(300_000);

const run = promisify(execFile);
const TURNS = 24;
const MEGABYTE = 1024 ** 2;

let cluster: Cluster;
let hostile: Customer;
let other: Customer;
let gateway: Server;
/** What the gateway has written of its responses. */
let written = 0;
/** Milliseconds between its pieces; 0: as fast as they are read. */
let paceMs = 0;

beforeAll(async () => {
  gateway = createServer((request, response) => {
    request.resume().on('end', () => answerAtLength(response));
  });
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  cluster = await Cluster.start({
    workers: 1,
    environment: { EGRESS_ALLOW: '127.0.0.1' },
  });
  hostile = await addCustomer(cluster, 'hostile');
  other = await addCustomer(cluster, 'other');
  const address = gateway.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  await hostile.request('PUT', '/v1/secrets/gateway', { value: 'key-of-the-gateway' });
  const settings = { keys: ['gateway'], base_url: `http://127.0.0.1:${address.port}` };
  expect((await hostile.request('PUT', '/v1/model_settings', settings)).status).toBe(200);
});
afterAll(async () => {
  gateway.closeAllConnections();
  gateway.close();
  await cluster.stop();
});

const event = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const DELTA = event('content_block_delta', {
  index: 0,
  delta: { type: 'text_delta', text: 'x'.repeat(900) },
});

/** 31 MB of text. */
function answerAtLength(response: ServerResponse): void {
  response.on('error', () => undefined);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const usage = { input_tokens: 1, output_tokens: 1 };
  response.write(event('message_start', { message: { model: 'claude-sonnet-4-5', usage } }));
  response.write(event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }));
  let left = 31 * MEGABYTE;
  const piece = DELTA.repeat(64);
  const write = (): void => {
    if (response.destroyed) return;
    if (left <= 0) {
      response.end();
      return;
    }
    left -= piece.length;
    written += piece.length;
    if (!response.write(piece)) response.once('drain', write);
    else if (paceMs > 0) setTimeout(write, paceMs);
    else setImmediate(write);
  };
  write();
}

/** Of the worker. */
async function residentBytes(): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(cluster.workers[0]?.process.pid)]);
  return Number(stdout) * 1024;
}

test('responses of 31 MB end as too large, cost their worker no memory, and keep no other turn waiting', async () => {
  const greet = async (): Promise<number> => {
    const began = performance.now();
    expect((await other.untilEnded((await other.submit('hello')).id)).status).toBe('completed');
    return performance.now() - began;
  };
  const greetings = async (count: number): Promise<number[]> => {
    const times: number[] = [];
    for (let n = 0; n < count; n += 1) times.push(await greet());
    return times.toSorted((one, another) => another - one);
  };
  await greetings(5);
  const alone = await greetings(20);
  const memory = await residentBytes();

  const turns = await Promise.all(Array.from({ length: TURNS }, () => hostile.submit('tell me much')));
  const beside = await greetings(20);
  const grown = (await residentBytes()) - memory;
  const ended = await Promise.all(turns.map(({ id }) => hostile.untilEnded(id)));
  for (const turn of ended) {
    expect(turn).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'model_response_too_large' },
    });
  }
  process.stdout.write(
    `[responses] another tenant: alone ${Math.round(alone[0] ?? 0)} ms at most, beside ${Math.round(beside[0] ?? 0)} ms; ` +
      `the worker grew by ${Math.round(grown / MEGABYTE)} MB, ${Math.round(written / MEGABYTE)} MB were written to it\n`,
  );
  expect(written).toBeLessThan(TURNS * 16 * MEGABYTE);
  expect(grown).toBeLessThan(300 * MEGABYTE);
  expect(beside[1]).toBeLessThan(2 * (alone[0] ?? 0) + 1_000);
});

test('a turn whose response goes on and on is cancelled where it is', async () => {
  const made = await hostile.request('POST', '/v1/agents', {
    name: 'long',
    model: 'claude-sonnet-4-5',
    max_tokens: 60_000,
  });
  const { id: agent_id } = made.body as { id: string };
  paceMs = 50;
  const before = written;
  const turn = await hostile.submit('tell me more', { agent_id });
  await untilTrue('the response has begun', () => written > before);
  await hostile.request('POST', `/v1/turns/${turn.id}/cancel`);
  expect((await hostile.untilEnded(turn.id)).status).toBe('cancelled');
});
