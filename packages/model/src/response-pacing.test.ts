import { expect, test } from '@jest/globals';
import { ResponsePacing } from './response-pacing.ts';

const KIB = 1024;

test('a response shorter than one piece is read at once', () => {
  const pace = new ResponsePacing().open('a');
  expect(pace.next(10 * KIB)).toBeNull();
  expect(pace.next(5 * KIB)).toBeNull();
  expect(pace.next(2 * KIB)).not.toBeNull();
});

test('tenants whose responses come faster than a model writes leave most of the time to a tenant whose do not', async () => {
  const pacing = new ResponsePacing();
  const busy = (ms: number): void => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  };
  const over = new AbortController();
  let fastMs = 0;
  const readFast = async (tenantId: string): Promise<void> => {
    const pace = pacing.open(tenantId);
    void pace.next(10_000 * KIB);
    while (!over.signal.aborted) {
      await pace.next(16 * KIB);
      busy(4);
      fastMs += 4;
    }
  };
  const fast = ['a', 'a', 'a', 'b', 'b', 'b'].map(readFast);
  const startedAt = performance.now();
  for (let piece = 0; piece < 16; piece += 1) {
    const pace = pacing.open('c');
    await pace.next(16 * KIB);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const passedMs = performance.now() - startedAt;
  over.abort();
  await Promise.all(fast);
  expect(fastMs).toBeLessThan(passedMs / 2);
});

test('what may come at once is shared by all responses that a tenant reads', async () => {
  const pacing = new ResponsePacing();
  const burst = 250 * KIB;
  /** The part of the time for which a tenant reads a response of 250 KiB, and does not wait for its turn. */
  const partRead = async (tenantId: string): Promise<number> => {
    const startedAt = performance.now();
    const pace = pacing.open(tenantId);
    let readMs = 0;
    for (let read = 0; read < burst; read += 16 * KIB) {
      await pace.next(16 * KIB);
      const from = performance.now();
      while (performance.now() < from + 2);
      readMs += performance.now() - from;
    }
    pace.close();
    return readMs / (performance.now() - startedAt);
  };
  // While others of the tenant are read, it takes its turns among those that come too fast.
  const others = Array.from({ length: 9 }, () => pacing.open('b'));
  const beside = await partRead('b');
  for (const pace of others) pace.close();
  expect(beside).toBeLessThan(0.3);
  expect(await partRead('b')).toBeGreaterThan(2 * beside);
});
