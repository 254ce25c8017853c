import { format } from 'node:util';
import { handleUncaught, scrub } from '@turnpike/telemetry';
import { describeFailure } from '@turnpike/tools';
import { readableError } from './readable-error.ts';
import { toolScope } from './tool-scope.ts';

const MOST_CHARACTERS = 2_000;
const LEVELS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error' } as const;

/**
 * Keeps the code of a tool from ending the worker: `process.exit` throws in it, and an error that it lets escape (a
 * rejection that nothing handles, an exception in a timer) is logged under its name. What it writes to the console
 * becomes log lines, so that secrets are hidden in it; so they are in what it writes to the standard streams itself. Code
 * outside of tools is as free as before.
 */
export function guardProcess(): void {
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    const scope = toolScope();
    if (scope === undefined) return exit(code);
    throw new Error(`The tool ${scope.tool} called process.exit(), which tools may not.`);
  };
  handleUncaught((error) => {
    const scope = toolScope();
    if (scope === undefined) return false;
    scope.logger.error('A tool let an error escape.', describeFailure(readableError(error)));
    return true;
  });
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    stream.write = (chunk: unknown, ...rest: unknown[]) =>
      write(typeof chunk === 'string' && toolScope() !== undefined ? scrub(chunk) : chunk, ...rest);
  }
  for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, 'info'][]) {
    // eslint-disable-next-line no-console
    const write = console[method].bind(console);
    // eslint-disable-next-line no-console
    console[method] = (...values: unknown[]) => {
      const scope = toolScope();
      if (scope === undefined) write(...values);
      else scope.logger[level](format(...values).slice(0, MOST_CHARACTERS));
    };
  }
}
