import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;
const NOT_THERE = 'none';

type Snapshot = ReadonlyMap<string, string>;

/**
 * Calls `onChange` with the paths, of those that `list` names, that were written, removed or added, one call after
 * another, until `signal` aborts. A path may be a folder: then its own entries count, not what is in its files. Files
 * are looked at, since notifications of changes are lost in containers and on network disks. `missing` names files that
 * were not there when someone asked for them: where they are by the first look, they were added.
 */
export async function watchFiles(
  list: () => Promise<readonly string[]>,
  onChange: (changed: readonly string[]) => Promise<void>,
  missing: () => ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  let known = merged(new Map(), await look(list), missing());
  while (await pause(signal)) {
    let now = await look(list);
    if (differences(known, now).length === 0) continue;
    // An editor that saves several files, or one in several writes, is waited for.
    for (let before = known; differences(before, now).length > 0 && (await pause(signal));) {
      before = now;
      now = await look(list);
    }
    const changed = differences(known, now);
    // What changes while it is dealt with is found by the next look.
    known = now;
    await onChange(changed);
    known = merged(known, await look(list), missing());
  }
}

async function look(list: () => Promise<readonly string[]>): Promise<Snapshot> {
  const paths = [...new Set(await list())];
  return new Map(await Promise.all(paths.map(async (path) => [path, await describe(path)] as const)));
}

async function describe(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return NOT_THERE;
  }
}

function differences(before: Snapshot, now: Snapshot): string[] {
  return [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path));
}

/** Paths that are looked at for the first time are known as they are; others as they were. */
function merged(before: Snapshot, now: Snapshot, missing: ReadonlySet<string>): Snapshot {
  const first = (path: string, state: string): string => (missing.has(path) ? NOT_THERE : state);
  return new Map([...now].map(([path, state]) => [path, before.get(path) ?? first(path, state)]));
}

async function pause(signal: AbortSignal): Promise<boolean> {
  await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
