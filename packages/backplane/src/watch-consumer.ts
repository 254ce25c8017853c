export interface WatchedConsumer {
  /** Milliseconds without taking anything, while there is room and jobs wait, that make it deaf. */
  deafAfterMs: number;
  hasRoom(): boolean;
  /** Goes up with every job that is taken. */
  taken(): number;
  /** How many jobs wait, asked of the server. */
  waiting(): Promise<number>;
  onDeaf(waiting: number): void;
}

/**
 * Looks for deafness: BullMQ's workers have gone silently deaf after outages of the server
 * (taskforcesh/bullmq #4378, #4479, #4585), and none of their own signs shows it. What shows it is
 * that jobs wait and stay, so the suspicion begins when jobs are first seen waiting, not when the
 * last one was taken: a quiet night makes nobody deaf. Returns the way to stop.
 */
export function watchConsumer(consumer: WatchedConsumer): () => void {
  let suspicion: { since: number; taken: number } | null = null;
  let looking = false;

  const look = async (): Promise<void> => {
    const waiting = consumer.hasRoom() ? await consumer.waiting() : 0;
    // Asked again after the answer: what was waited for may have let the worker take something.
    if (waiting === 0 || !consumer.hasRoom()) suspicion = null;
    else if (suspicion?.taken !== consumer.taken()) {
      suspicion = { since: performance.now(), taken: consumer.taken() };
    } else if (performance.now() - suspicion.since >= consumer.deafAfterMs) {
      suspicion = null;
      consumer.onDeaf(waiting);
    }
  };

  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      // The server is away: that is not deafness, and whoever adds jobs reports it.
      .catch(() => (suspicion = null))
      .finally(() => (looking = false));
  }, consumer.deafAfterMs / 5);
  return () => clearInterval(timer);
}
