export interface WatchedConsumer {
  /** A consumer is deaf that receives nothing for this long while it has a free slot and jobs wait. Milliseconds. */
  deafAfterMs: number;
  hasFreeSlot(): boolean;
  /** How many jobs it has received in all. */
  received(): number;
  /** How many jobs wait, by the server. */
  waiting(): Promise<number>;
  onDeaf(waiting: number): void;
}

/**
 * Detects a deaf consumer: after outages of the server, BullMQ's workers have stopped receiving jobs without any error
 * (taskforcesh/bullmq #4378, #4479, #4585). It shows only by jobs that keep waiting, so the time counts from when
 * jobs are first seen waiting, not from the last job received: an idle consumer is not deaf. Returns the function that
 * stops watching.
 */
export function watchConsumer(consumer: WatchedConsumer): () => void {
  let suspicion: { since: number; received: number } | null = null;
  let checking = false;

  const check = async (): Promise<void> => {
    const waiting = consumer.hasFreeSlot() ? await consumer.waiting() : 0;
    // Checked again: the worker may have received a job meanwhile.
    if (waiting === 0 || !consumer.hasFreeSlot()) suspicion = null;
    else if (suspicion?.received !== consumer.received()) {
      suspicion = { since: performance.now(), received: consumer.received() };
    } else if (performance.now() - suspicion.since >= consumer.deafAfterMs) {
      suspicion = null;
      consumer.onDeaf(waiting);
    }
  };

  const timer = setInterval(() => {
    if (checking) return;
    checking = true;
    check()
      // The server is away: the consumer is not deaf, and the processes that add jobs report the outage.
      .catch(() => (suspicion = null))
      .finally(() => (checking = false));
  }, consumer.deafAfterMs / 5);
  return () => clearInterval(timer);
}
