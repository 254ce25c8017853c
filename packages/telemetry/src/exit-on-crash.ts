import type { Logger } from './logger.ts';

/** Time for the log line to be written. */
const GOODBYE_MS = 100;

/**
 * Ends the process with exit code 1 on an uncaught error, and logs it: redacted like every log line, unlike what Node
 * itself prints. Other processes recover the work in progress, as after a kill.
 */
export function exitOnCrash(logger: Logger): void {
  const crash = (error: unknown): void => {
    logger.error('The process crashed.', { error });
    setTimeout(() => process.exit(1), GOODBYE_MS);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
