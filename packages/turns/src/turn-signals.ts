import { turnStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import type { Backplane } from '@turnpike/backplane';

const CHANNEL = 'turns';

const turnSignalSchema = z.object({ turn_id: z.string(), status: turnStatusSchema });
export type TurnSignal = z.infer<typeof turnSignalSchema>;

/** Signals to every process that turns changed. A lost signal costs a waiting client a few seconds. */
export async function announceTurns(backplane: Backplane, signals: readonly TurnSignal[]): Promise<void> {
  await Promise.all(signals.map((signal) => backplane.publish(CHANNEL, { ...signal })));
}

/** Calls `listener` for every turn that changes, in whatever process. Returns a function that stops it. */
export function watchTurns(
  backplane: Backplane,
  listener: (signal: TurnSignal) => void,
): Promise<() => Promise<void>> {
  return backplane.subscribe(CHANNEL, (signal) => {
    const parsed = turnSignalSchema.safeParse(signal);
    if (parsed.success) listener(parsed.data);
  });
}
