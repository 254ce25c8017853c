import { z } from 'zod';

export const vitalsSchema = z.object({
  /** Bytes. */
  rss: z.number(),
  heapUsed: z.number(),
  /** Milliseconds of processor time and of wall time since the last response. */
  cpuMs: z.number(),
  elapsedMs: z.number(),
  /** Event-loop lag over the same time. Milliseconds. */
  lagP50: z.number(),
  lagP99: z.number(),
});
export type Vitals = z.infer<typeof vitalsSchema>;

/** Share of one processor. */
export function cpuShare({ cpuMs, elapsedMs }: Vitals): number {
  return cpuMs / elapsedMs;
}
