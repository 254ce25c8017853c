import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { identify } from './process-identity.ts';

const processSchema = z.object({ name: z.string(), pid: z.int(), identity: z.string() });
const runSchema = z.object({ cli: processSchema, children: z.array(processSchema) });

/** A started process, described so that a later start can tell whether it still runs. */
export type KnownProcess = z.infer<typeof processSchema>;
/** The processes of this directory: the command line, then those that it started, in order. */
export type Run = z.infer<typeof runSchema>;

/** Describes a process. Null where it has exited already. */
export function knownProcess(name: string, pid: number): KnownProcess | null {
  const identity = identify(pid);
  return identity === null ? null : { name, pid, identity };
}

/** True while exactly that process runs. */
export function isThere({ pid, identity }: KnownProcess): boolean {
  return identify(pid) === identity;
}

/** The content of the file; null where it is missing or unreadable. */
export function readRun(path: string): Run | null {
  try {
    return runSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

/** Creates the file. False where it exists already. */
export function createRunFile(path: string, run: Run): boolean {
  try {
    writeFileSync(path, JSON.stringify(run), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Replaces the file atomically: a reader never sees half of it. */
export function replaceRunFile(path: string, run: Run): void {
  writeFileSync(`${path}.new`, JSON.stringify(run), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRunFile(path: string): void {
  rmSync(path, { force: true });
}
