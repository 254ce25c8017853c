import { untilGone } from '../children/end-process.ts';
import { isThere, readRun } from '../children/run-file.ts';

const LIMIT_MS = 60_000;

/**
 * Waits, after the parent's end, for what was started after this process: it may use what this
 * process serves, and stops as well.
 */
export async function untilUsersEnd(runFile: string): Promise<void> {
  const children = readRun(runFile)?.children ?? [];
  const own = children.findIndex(({ pid }) => pid === process.pid);
  // A server's own process ends with its keeper, and that one is in the list too.
  const users = children.slice(own + 1).filter(({ name }) => !name.endsWith(' server'));
  await untilGone(() => users.some(isThere), LIMIT_MS);
}
