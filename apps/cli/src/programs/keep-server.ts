import type { ChildProcess } from 'node:child_process';
import { onParentGone } from './notify-parent.ts';
import { untilUsersEnd } from './until-users-end.ts';

export interface KeepOptions {
  /** The signal that stops it in order. */
  stopSignal: NodeJS.Signals;
  /** The signal that ends it at once. */
  killSignal: NodeJS.Signals;
  /** The file that lists the other processes. */
  runFile: string;
  /** Called after it was stopped and has exited. */
  cleanUp?: () => Promise<void>;
}

/**
 * Ties a third-party server to this process: a signal to this process or the exit of its parent stops the server. When
 * the server exits, so does this process.
 */
export function keepServer(server: ChildProcess, options: KeepOptions): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    isStopping = true;
    server.kill(signal);
  };
  process.on('SIGTERM', () => stop(options.stopSignal));
  process.on('SIGINT', () => stop(options.stopSignal));
  process.on('SIGQUIT', () => stop(options.killSignal));
  onParentGone(() => {
    void untilUsersEnd(options.runFile).then(() => stop(options.stopSignal));
  });

  const end = async (how: string): Promise<void> => {
    if (isStopping) await options.cleanUp?.();
    else process.stderr.write(how);
    process.exit(isStopping ? 0 : 1);
  };
  // A server that exits with a code has logged why.
  server.once('exit', (_, signal) => void end(signal === null ? '' : `The server ended by ${signal}.\n`));
  server.once('error', (error) => void end(`The server cannot be run: ${error.message}\n`));
}
