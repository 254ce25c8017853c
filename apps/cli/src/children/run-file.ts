import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { identify } from './process-identity.ts';

const processSchema = z.object({ name: z.string(), pid: z.int(), identity: z.string() });
const runSchema = z.object({ cli: processSchema, children: z.array(processSchema) });

/** A process that was started, so described that it is known again, or known to be gone. */
export type KnownProcess = z.infer<typeof processSchema>;
/** Who runs here: the command line, and what it started, in that order. */
export type Run = z.infer<typeof runSchema>;

/** Describes a process of ours. Null when it is gone already. */
export function knownProcess(name: string, pid: number): KnownProcess | null {
  const identity = identify(pid);
  return identity === null ? null : { name, pid, identity };
}

/** True while that very process is there. */
export function isThere({ pid, identity }: KnownProcess): boolean {
  return identify(pid) === identity;
}

/** What the file says; null where there is none, or none that can be read. */
export function readRun(path: string): Run | null {
  try {
    return runSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

/** False when the file is there already. */
export function createRunFile(path: string, run: Run): boolean {
  try {
    writeFileSync(path, JSON.stringify(run), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Whole or not at all: a reader never sees half of it. */
export function replaceRunFile(path: string, run: Run): void {
  writeFileSync(`${path}.new`, JSON.stringify(run), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRunFile(path: string): void {
  rmSync(path, { force: true });
}
