import { untilGone } from '../children/end-process.ts';
import { isThere, readRun } from '../children/run-file.ts';

const LIMIT_MS = 60_000;

/**
 * After the parent has exited, waits for the processes that were started after this one: they may use this server, and
 * are stopping too.
 */
export async function untilUsersEnd(runFile: string): Promise<void> {
  const children = readRun(runFile)?.children ?? [];
  const own = children.findIndex(({ pid }) => pid === process.pid);
  // The servers themselves exit with the processes that keep them, which are in the list too.
  const users = children.slice(own + 1).filter(({ name }) => !name.endsWith(' server'));
  await untilGone(() => users.some(isThere), LIMIT_MS);
}
