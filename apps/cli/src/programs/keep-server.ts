import type { ChildProcess } from 'node:child_process';
import { onParentGone } from './tell-parent.ts';
import { untilUsersEnd } from './until-users-end.ts';

export interface KeepOptions {
  /** How it is asked to stop. */
  stopSignal: NodeJS.Signals;
  /** How it is ended at once. */
  killSignal: NodeJS.Signals;
  /** Where it is written who else runs. */
  runFile: string;
  /** Called when it was stopped and has ended. */
  cleanUp?: () => Promise<void>;
}

/**
 * Ties a server that is not ours to the life of this process: a signal stops it, and so does the
 * end of the parent, however it came. When the server ends, so does this process.
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
  // One that ends with a code has said why.
  server.once('exit', (_, signal) => void end(signal === null ? '' : `The server ended by ${signal}.\n`));
  server.once('error', (error) => void end(`The server cannot be run: ${error.message}\n`));
}
