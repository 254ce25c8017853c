import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { keyPart } from './key-part.ts';
import { openBackplane } from './open-backplane.ts';
import { someJobs } from './testing/held-runs.ts';

const ODD_NAMES = [
  'claude-sonnet-4-5',
  'a:b:c',
  'a model of ours',
  '*',
  'm[a-z]?',
  '{tag}',
  'line\r\nSET x y',
  'naïve-模型-🙂',
  '../../turns:wait',
  'a%3Ab',
  "!'()*~",
  '\ud800',
  'm'.repeat(200),
];

describe('Names in the keys of Redis', () => {
  it('become one part of a key each, and stay different', () => {
    const parts = ODD_NAMES.map(keyPart);
    for (const part of parts) expect(part).toMatch(/^[\w.%-]+$/);
    expect(new Set(parts).size).toBe(ODD_NAMES.length);
  });
});

const url = process.env['TEST_REDIS_URL'];
(url === undefined ? describe.skip : describe)('The keys that a run leaves in Redis', () => {
  it('all expire except those of the queues, and none contains a name unencoded', async () => {
    const client = new Redis(url ?? '');
    const errors: unknown[] = [];
    const prefix = `{t-${randomUUID()}}`;
    const backplane = await openBackplane({ url: url ?? '', prefix, onError: (error) => errors.push(error) });
    try {
      for (const name of ODD_NAMES) {
        expect(await backplane.retryBudget.take(`ten_1:${name}`)).toBe(true);
        expect(await backplane.spendRequests(name, 1, { perSecond: 10 })).toBe(9);
      }
      backplane.retryBudget.deposit('ten_1:deposited:only');
      await backplane.ping();
      await backplane.live.watch('ses_1', () => undefined);
      backplane.live.show({ sessionId: 'ses_1', turnId: 'trn_1', stepIndex: 1, attempt: 1, text: 'Hello' });
      let ran = 0;
      backplane.consume({
        concurrency: 2,
        run: async () => void ran++,
        onError: (error) => errors.push(error),
      });
      await backplane.enqueue(someJobs(5));
      await untilTrue('all ran', () => ran === 5);
      const names = async (): Promise<string[]> => client.keys(`${prefix}:*`);
      await untilTrue('the text and the deposit are there', async () => {
        const all = await names();
        return all.includes(`${prefix}:live:ses_1`) && all.some((key) => key.endsWith('deposited%3Aonly'));
      });

      const expiring = [];
      for (const key of await names()) {
        // BullMQ's own keys, a fixed number: those of a job are deleted when it ends.
        if (/^(turns|deliveries):[\w-]+$/.test(key.slice(prefix.length + 1))) continue;
        const ttl = await client.pttl(key);
        expect([key, ttl > 0 && ttl <= 3_600_000]).toEqual([key, true]);
        expiring.push(key.slice(prefix.length));
      }
      for (const key of expiring)
        expect(key).toMatch(/^:(written|(live|retry-budget|request-rate):[\w.%-]+)$/);
      expect(expiring).toHaveLength(2 * ODD_NAMES.length + 3);
      expect(errors).toEqual([]);
    } finally {
      await backplane.close();
      const left = await client.keys(`${prefix}:*`);
      if (left.length > 0) await client.del(left);
      client.disconnect();
    }
  });
});
