import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './logger.ts';

export interface SignalSettings {
  logger: Logger;
  /**
   * Between SIGTERM and `stop`, in milliseconds: for balancers to see that the process is not ready any more. SIGINT
   * comes from a person, who waits. Default: 0.
   */
  delayMs?: number;
  /** For `stop`; what takes longer is cut off, with exit code 1. Milliseconds. */
  limitMs: number;
  /** The process is asked to stop; `stop` follows after the delay. */
  onAsked(): void;
  stop(): Promise<void>;
}

/** SIGTERM and SIGINT stop the process, with exit code 0. A second signal ends it at once, with 1, as a crash would. */
export function exitOnSignal({ logger, delayMs = 0, limitMs, onAsked, stop }: SignalSettings): void {
  let isAsked = false;
  const end = async (waitMs: number): Promise<void> => {
    setTimeout(() => process.exit(1), waitMs + limitMs).unref();
    try {
      if (waitMs > 0) {
        logger.info('Asked to stop: not ready any more, and serving on for a while.', { delay_ms: waitMs });
        await delay(waitMs);
      }
      await stop();
      process.exit(0);
    } catch (error) {
      logger.error('The process did not stop cleanly.', { error });
      process.exit(1);
    }
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isAsked) process.exit(1);
    isAsked = true;
    onAsked();
    void end(signal === 'SIGTERM' ? delayMs : 0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
