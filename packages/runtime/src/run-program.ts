import { scrub } from '@turnpike/telemetry';

/**
 * Runs the `start` of a program. An error that prevents the start, such as a wrong setting, is written to standard
 * error, redacted, and ends the process with exit code 1.
 */
export function runProgram(start: () => Promise<void>): void {
  start().catch((error: unknown) => {
    process.stderr.write(`${scrub(error instanceof Error ? error.message : String(error))}\n`);
    process.exit(1);
  });
}
