import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';
import { rememberRead } from './remember-read.ts';

test('a gauge that cannot be read is NaN, is reported, and takes no other with it', async () => {
  const errors: unknown[] = [];
  const metrics = createMetrics('trial', (error) => errors.push(error));
  metrics.gauge('broken', 'Cannot be read.', async () => {
    throw new Error('no');
  });
  metrics.gauge('well', 'Can be read.', () => 7);
  const { text } = await metrics.render();
  expect(text).toContain('broken{service="trial"} Nan');
  expect(text).toContain('well{service="trial"} 7');
  expect(errors).toEqual([new Error('no')]);
});

test('a gauge that takes too long is left out, and nobody waits for it', async () => {
  const metrics = createMetrics('trial');
  metrics.gauges('slow', 'Hangs.', 'state', () => new Promise(() => undefined));
  metrics.gauge('well', 'Can be read.', () => 7);
  const { text } = await metrics.render();
  expect(text).not.toMatch(/^slow\{/m);
  expect(text).toContain('well{service="trial"} 7');
});

test('the lag of the event loop is told, with its 99th percentile', async () => {
  expect((await createMetrics('trial').render()).text).toMatch(/^nodejs_eventloop_lag_p99_seconds\{/m);
});

test('what several gauges of one scrape ask for is read once, also where it fails', async () => {
  let reads = 0;
  const read = rememberRead(async () => {
    reads += 1;
    throw new Error('no');
  }, 60_000);
  await Promise.allSettled([read(), read()]);
  await expect(read()).rejects.toThrow('no');
  expect(reads).toBe(1);
});
