import { format } from 'node:util';
import { handleUncaught } from '@turnpike/telemetry';
import { describeFailure } from '@turnpike/tools';
import { toolScope } from './tool-scope.ts';

const MOST_CHARACTERS = 2_000;
const LEVELS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error' } as const;

/**
 * Keeps the code of a tool from ending the worker: `process.exit` throws in it, and an error that it lets escape (a
 * rejection that nothing handles, an exception in a timer) is logged under its name. What it writes to the console
 * becomes log lines, so that secrets are hidden in it. Code outside of tools is as free as before.
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
    scope.logger.error('A tool let an error escape.', describeFailure(error));
    return true;
  });
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
