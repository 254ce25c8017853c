import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';
import { rememberRead } from './remember-read.ts';

test('a gauge that cannot be read is NaN and reported, and the others are still rendered', async () => {
  const errors: unknown[] = [];
  const metrics = createMetrics('trial', (error) => errors.push(error));
  metrics.gauge('turnpike_body_bytes', async () => {
    throw new Error('no');
  });
  metrics.gauge('turnpike_long_polls', () => 7);
  const { text } = await metrics.render();
  expect(text).toContain('turnpike_body_bytes{service="trial"} Nan');
  expect(text).toContain('turnpike_long_polls{service="trial"} 7');
  expect(errors).toEqual([new Error('no')]);
});

test('a gauge that takes too long is left out, and does not delay the others', async () => {
  const metrics = createMetrics('trial');
  metrics.gauges('turnpike_turns_waiting', () => new Promise(() => undefined));
  metrics.gauge('turnpike_long_polls', () => 7);
  const { text } = await metrics.render();
  expect(text).not.toMatch(/^turnpike_turns_waiting\{/m);
  expect(text).toContain('turnpike_long_polls{service="trial"} 7');
});

test('the event loop lag is rendered with its 99th percentile', async () => {
  expect((await createMetrics('trial').render()).text).toMatch(/^nodejs_eventloop_lag_p99_seconds\{/m);
});

test('a read that several gauges share is made once per scrape, also where it fails', async () => {
  let reads = 0;
  const read = rememberRead(async () => {
    reads += 1;
    throw new Error('no');
  }, 60_000);
  await Promise.allSettled([read(), read()]);
  await expect(read()).rejects.toThrow('no');
  expect(reads).toBe(1);
});
