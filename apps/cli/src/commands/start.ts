import { Children } from '../children/children.ts';
import { Ending, listenForSignals } from '../children/ending.ts';
import { readStartConfig } from '../config.ts';
import { bringUp } from '../development/bring-up.ts';
import { removeCommandEnvironment } from '../development/command-environment.ts';
import type { Site } from '../development/site.ts';
import { openStateFolder } from '../development/state-folder.ts';
import { warn, say } from '../say.ts';

const KILLED_EXIT_CODE = 130;

/** `port`: the API's, instead of `PORT`. */
export interface StartOptions {
  port?: number;
}

/** Starts everything, shows a first turn, and runs until it is stopped. Returns the exit code. */
export function start(options: StartOptions): Promise<number> {
  return runUntilStopped(options, bringUp);
}

/** Runs what `bring` starts until a person stops it or a part of it fails. Returns the exit code; nothing is left running. */
export async function runUntilStopped(
  { port }: StartOptions,
  bring: (site: Site) => Promise<void>,
): Promise<number> {
  const given = readStartConfig();
  const config = port === undefined ? given : { ...given, port };
  const folder = await openStateFolder(process.cwd());
  const children = await Children.open(folder.runFile);
  // Output to a terminal that was closed fails, which must not prevent an orderly stop.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const ending = new Ending();
  listenForSignals(ending, () => {
    say('Killing everything.');
    removeCommandEnvironment(folder.environmentFile);
    void children.kill().finally(() => process.exit(KILLED_EXIT_CODE));
  });

  bring({ config, folder, children, ending }).catch((error: unknown) => ending.fail(error));
  const reason = await ending.reason;
  say();
  if (reason === null) {
    say('Stopping: workers, API, and what else was started. Ctrl-C again kills them.');
  } else {
    warn(reason.message);
    say('Stopping everything that was started.');
  }
  await children.stop();
  removeCommandEnvironment(folder.environmentFile);
  if (reason === null) say('Stopped.');
  return reason === null ? 0 : 1;
}
