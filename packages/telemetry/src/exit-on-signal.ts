import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './logger.ts';

export interface SignalSettings {
  logger: Logger;
  /**
   * Time between SIGTERM and `stop`, in which load balancers see that the process is not ready. SIGINT comes from a
   * person and has no delay. Milliseconds; default: 0.
   */
  delayMs?: number;
  /** The longest that `stop` may take; after it the process exits with code 1. Milliseconds. */
  limitMs: number;
  /** Called on the first signal; `stop` follows after the delay. */
  onSignal(): void;
  stop(): Promise<void>;
}

/** SIGTERM and SIGINT stop the process with exit code 0. A second signal ends it at once with code 1, like a crash. */
export function exitOnSignal({ logger, delayMs = 0, limitMs, onSignal, stop }: SignalSettings): void {
  let isSignalled = false;
  const end = async (waitMs: number): Promise<void> => {
    setTimeout(() => process.exit(1), waitMs + limitMs).unref();
    try {
      if (waitMs > 0) {
        logger.info('Received SIGTERM: not ready any more, still serving until the delay is over.', {
          delay_ms: waitMs,
        });
        await delay(waitMs);
      }
      await stop();
      process.exit(0);
    } catch (error) {
      logger.error('The process did not stop cleanly.', { error });
      process.exit(1);
    }
  };
  const handle = (signal: NodeJS.Signals): void => {
    if (isSignalled) process.exit(1);
    isSignalled = true;
    onSignal();
    void end(signal === 'SIGTERM' ? delayMs : 0);
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
}
