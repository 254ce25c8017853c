import { bringUpProject } from '../development/bring-up-project.ts';
import { runUntilStopped, type StartOptions } from './start.ts';

/**
 * Starts everything with the code of this directory's `turnpike.config.ts`, and runs until it is stopped: code that is
 * saved serves new turns, agents are made what their files say, and turns are shown. Returns the exit code.
 */
export function dev(options: StartOptions): Promise<number> {
  return runUntilStopped(options, bringUpProject);
}
