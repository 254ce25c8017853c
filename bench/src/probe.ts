// Loaded into every measured process before the program.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { z } from 'zod';
import type { Vitals } from './vitals.ts';

/** The histogram includes this interval, which is subtracted again. */
const RESOLUTION_MS = 5;

const questionSchema = z.object({ ask: z.literal('vitals'), collect: z.boolean() });
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
// It wakes the process two hundred times a second, which is most of what an idle one does.
if (process.env['BENCH_LAG'] !== 'off') delay.enable();
let cpu = process.cpuUsage();
let at = performance.now();

process.on('message', (message) => {
  const question = questionSchema.safeParse(message);
  if (!question.success) return;
  if (question.data.collect) globalThis.gc?.();
  const { user, system } = process.cpuUsage(cpu);
  const late = (percentile: number): number =>
    Math.max(0, delay.percentile(percentile) / 1e6 - RESOLUTION_MS);
  const { rss, heapUsed } = process.memoryUsage();
  const vitals: Vitals = {
    rss,
    heapUsed,
    cpuMs: (user + system) / 1_000,
    elapsedMs: performance.now() - at,
    lagP50: late(50),
    lagP99: late(99),
  };
  cpu = process.cpuUsage();
  at = performance.now();
  delay.reset();
  process.send?.({ vitals });
});
process.channel?.unref();
