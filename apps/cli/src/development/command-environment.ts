import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describeError, Failure } from '../failure.ts';

/** The file in which commands in this directory find what `start` runs. */
export function environmentFile(directory: string): string {
  return join(directory, '.turnpike', 'env');
}

/** Writes the file for commands and shells. It contains secrets, and is deleted when everything is stopped. */
export function writeCommandEnvironment(file: string, environment: Record<string, string>): void {
  const lines = Object.entries(environment).map(([name, value]) => `${name}=${quote(value)}\n`);
  // An existing file may be readable by others.
  rmSync(file, { force: true });
  writeFileSync(file, lines.join(''), { mode: 0o600 });
}

/** The variables in the file; empty where nothing runs in this directory. Throws a `Failure` where it cannot be read. */
export function readCommandEnvironment(directory: string): Record<string, string> {
  const file = environmentFile(directory);
  try {
    const entries = Object.entries(parseEnv(readFileSync(file, 'utf8')));
    return Object.fromEntries(
      entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw new Failure(`${file} cannot be read: ${describeError(error)}.`);
  }
}

export function removeCommandEnvironment(file: string): void {
  rmSync(file, { force: true });
}

function quote(value: string): string {
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}
