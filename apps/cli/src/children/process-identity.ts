import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Identifies a process, so that it differs from a later one with the same id. Null: there is none, or it is a zombie.
 */
export function identify(pid: number): string | null {
  if (process.platform !== 'linux') return askPs(pid, 'lstart=');
  const facts = readOrNull(`/proc/${pid}/stat`);
  if (facts === null) return null;
  // The name may contain spaces and brackets; the fields after it may not: state, ..., start time.
  const fields = facts.slice(facts.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? null : (fields[19] ?? null);
}

/** The command line of a process. Null where there is no such process. */
export function commandOf(pid: number): string | null {
  if (process.platform !== 'linux') return askPs(pid, 'args=');
  return readOrNull(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim() || null;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function askPs(pid: number, column: string): string | null {
  const { stdout } = spawnSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() || null;
}
