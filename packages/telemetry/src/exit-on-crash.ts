import type { Logger } from './logger.ts';

/** Time for the log line to be written. */
const GOODBYE_MS = 100;

/** True where the error was taken care of, and the process lives on. It must not throw. */
export type UncaughtHandler = (error: unknown) => boolean;

const handlers = new Set<UncaughtHandler>();

/** Is asked about every error that nothing caught, before it ends the process. Returns the function that undoes it. */
export function handleUncaught(handler: UncaughtHandler): () => void {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}

/**
 * Ends the process with exit code 1 on an uncaught error, and logs it: redacted like every log line, unlike what Node
 * itself prints. Other processes recover the work in progress, as after a kill.
 */
export function exitOnCrash(logger: Logger): void {
  const crash = (error: unknown): void => {
    if ([...handlers].some((handler) => handler(error))) return;
    logger.error('The process crashed.', { error });
    setTimeout(() => process.exit(1), GOODBYE_MS);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
