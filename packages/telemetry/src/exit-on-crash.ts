import type { Logger } from './logger.ts';

/** For what was written to be on its way. */
const GOODBYE_MS = 100;

/**
 * An error that nobody caught ends the process with exit code 1, told as one more line of the log: redacted like
 * all of them, which what Node itself prints is not. What was held is found by others as after a kill.
 */
export function exitOnCrash(logger: Logger): void {
  const crash = (error: unknown): void => {
    logger.error('The process crashed.', { error });
    setTimeout(() => process.exit(1), GOODBYE_MS);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
