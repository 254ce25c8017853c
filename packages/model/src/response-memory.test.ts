import { expect, test } from '@jest/globals';
import { ResponseMemory } from './response-memory.ts';

const KIB = 1024;
const piece = (kib: number): Uint8Array => Buffer.alloc(kib * KIB, 'x');

test('a response may be as large as its max_tokens can make it, and no larger', () => {
  const meter = new ResponseMemory().open('a', 1_000);
  meter.take(piece(400));
  expect(() => meter.take(piece(200))).toThrow(expect.objectContaining({ code: 'model_response_too_large' }));
});

test('the responses of one tenant together have a limit', () => {
  const memory = new ResponseMemory({ ofTenant: 300 * KIB, ofAll: 5_000 * KIB });
  const [one, two] = ['a', 'a'].map((tenant) => memory.open(tenant, 10_000));
  one?.take(piece(200));
  expect(() => two?.take(piece(200))).toThrow(expect.objectContaining({ code: 'model_busy' }));
  two?.close();
  one?.take(piece(90));
});

test('where all tenants together are over the limit, those that hold more than an equal share are refused', () => {
  const memory = new ResponseMemory({ ofTenant: 300 * KIB, ofAll: 500 * KIB });
  const [one, two, small] = ['a', 'b', 'c'].map((tenant) => memory.open(tenant, 10_000));
  one?.take(piece(250));
  two?.take(piece(240));
  small?.take(piece(100));
  expect(() => one?.take(piece(1))).toThrow(expect.objectContaining({ code: 'model_busy' }));
  one?.close();
  two?.take(piece(50));
});

test.each(['\n', '\r'])(
  'a response of short lines that end with %j is as large as what is kept of them',
  (end) => {
    const meter = new ResponseMemory().open('a', 1_000);
    const lines = Buffer.from(`:${end}`.repeat(20_000));
    expect(() => meter.take(lines)).toThrow(expect.objectContaining({ code: 'model_response_too_large' }));
  },
);

test('an event for each token fits, however it is written', () => {
  const meter = new ResponseMemory().open('a', 1_000);
  const event = 'event: content_block_delta\r\ndata: {"type":"content_block_delta","index":0}\r\n\r\n';
  meter.take(Buffer.from(event.repeat(1_000)));
});
