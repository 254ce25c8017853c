import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import type { Backplane } from '@turnpike/backplane';

const CHANNEL = 'turns';

const turnSignalSchema = z.object({ turn_id: z.string(), status: turnStatusSchema });
export type TurnSignal = z.infer<typeof turnSignalSchema>;

/** Tells every process that turns changed. A signal that is lost costs a waiting client some seconds, no more. */
export async function announceTurns(backplane: Backplane, signals: readonly TurnSignal[]): Promise<void> {
  await Promise.all(signals.map((signal) => backplane.publish(CHANNEL, { ...signal })));
}

/** Hears of every turn that changes, in whatever process. Returns the way to stop. */
export function watchTurns(
  backplane: Backplane,
  listener: (signal: TurnSignal) => void,
): Promise<() => Promise<void>> {
  return backplane.subscribe(CHANNEL, (signal) => {
    const parsed = turnSignalSchema.safeParse(signal);
    if (parsed.success) listener(parsed.data);
  });
}
