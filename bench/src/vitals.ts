import { z } from 'zod';

export const vitalsSchema = z.object({
  /** Bytes. */
  rss: z.number(),
  heapUsed: z.number(),
  /** Milliseconds of processor time, and of the clock, since the last answer. */
  cpuMs: z.number(),
  elapsedMs: z.number(),
  /** Milliseconds that the event loop was late, over the same time. */
  lagP50: z.number(),
  lagP99: z.number(),
});
export type Vitals = z.infer<typeof vitalsSchema>;

/** Share of one processor. */
export function cpuShare({ cpuMs, elapsedMs }: Vitals): number {
  return cpuMs / elapsedMs;
}
