import { expect, test } from '@jest/globals';
import { ResponseMemory } from './response-memory.ts';

const KIB = 1024;
const piece = (kib: number): Uint8Array => Buffer.alloc(kib * KIB, 'x');

test('a response may be as large as its max_tokens can make it, and no larger', () => {
  const meter = new ResponseMemory().open('a', 1_000);
  meter.take(piece(400));
  expect(() => meter.take(piece(200))).toThrow(expect.objectContaining({ code: 'model_response_too_large' }));
});

test('all responses of a tenant together have a bound, and one of all tenants; what is over counts no more', () => {
  const memory = new ResponseMemory({ ofTenant: 300 * KIB, ofAll: 500 * KIB });
  const [one, two, other] = ['a', 'a', 'b'].map((tenant) => memory.open(tenant, 10_000));
  one?.take(piece(200));
  expect(() => two?.take(piece(200))).toThrow(expect.objectContaining({ code: 'model_busy' }));
  expect(() => other?.take(piece(200))).toThrow(expect.objectContaining({ code: 'model_busy' }));
  two?.close();
  other?.take(piece(50));
  one?.close();
  other?.close();
  memory.open('c', 10_000).take(piece(300));
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
